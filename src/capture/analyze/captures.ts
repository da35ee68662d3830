import type { ts as TypeScript } from 'ts-morph'
import type { Capture, Range } from '../analysis.ts'
import { isStandardGlobal } from '../globals.ts'
import type { Reading, Use } from './reading.ts'
import { symbolsOf } from './symbols.ts'
import { typescript } from './syntax.ts'

/** What can be said once the whole file is read: what each function captures, and which calls are given functions. */
export function settleUses(reading: Reading): void {
  const { declarations, uses, globals } = reading
  settleLocals(reading)
  for (const d of declarations)
    if (d.kind === 'variable' || d.kind === 'function') {
      const own = uses.filter((u) => u.local === undefined && d.names.includes(u.name))
      d.reassigned = own.some((u) => u.write)
      d.mutated = own.some((u) => u.mutates)
    }
  const withoutStandard = (names: string[]) => names.filter((n) => !globals.has(n) || !isStandardGlobal(n))
  for (const d of declarations) {
    d.uses = withoutStandard(d.uses)
    d.evalUses = withoutStandard(d.evalUses)
  }
  for (const use of uses)
    if (use.local !== undefined || !globals.has(use.name) || !isStandardGlobal(use.name))
      noteUse(reading, use)
  settleEvals(reading)
  settleCalls(reading)
}

/** In a script, not in a module, eval may declare variables for the functions beside it: which ones cannot be seen. */
function settleEvals({ functions, evals, imports, exports }: Reading): void {
  if (imports.length + exports.length > 0) return
  const around = (fn: number): number[] => (fn < 0 ? [] : [fn, ...around(functions[fn]!.parent)])
  for (const [index, { uses }] of functions.entries())
    for (const { fn, at } of evals)
      if (around(index).includes(fn) && !uses.includes(`refuse:${at}:eval`)) uses.push(`refuse:${at}:eval`)
}

/** Each function around a use needs what is used, up to the one that declares it. */
function noteUse({ functions }: Reading, use: Use): void {
  for (let f = use.fn; f >= 0; f = functions[f]!.parent) {
    const fn = functions[f]!
    if (use.local === undefined) {
      if (!fn.uses.includes(use.name)) fn.uses.push(use.name)
      if (use.write && !fn.assigns?.some(({ name }) => name === use.name)) {
        fn.assigns ??= []
        fn.assigns.push({ name: use.name, at: use.at })
      }
      continue
    }
    if (use.local >= fn.start && use.local < fn.end) return
    let capture = fn.captures.find((c) => c.declaration === use.local)
    if (!capture) {
      capture = { name: use.name, declaration: use.local, at: use.at } satisfies Capture
      if (use.localFn !== undefined) capture.fn = use.localFn
      fn.captures.push(capture)
    }
    if (use.literal !== undefined) capture.literal = use.literal
    if (use.write && capture.writes === undefined) capture.writes = use.at
    if (use.early && use.fn === f) capture.early = true
    if (use.around !== undefined && fn.start > use.around[0] && fn.end <= use.around[1])
      capture.shareable = true
  }
}

function settleLocals(reading: Reading): void {
  const ts = typescript()
  const { source, uses, localUses, assigned } = reading
  const { startOf, isLiteral } = reading.syntax
  for (const { use, declaration, node } of localUses) {
    if (assigned.has(startOf(declaration))) {
      const around = repeatedAround(reading, node, declaration)
      if (around) uses[use]!.around = around
      continue
    }
    const fn = functionFor(reading, declaration)
    if (fn !== undefined) uses[use]!.localFn = fn
    if (
      ts.isVariableDeclaration(declaration) &&
      ts.isIdentifier(declaration.name) &&
      isLiteral(declaration.initializer)
    )
      uses[use]!.literal = declaration.initializer!.getText(source)
  }
}

/** The outermost function or loop around a use that the variable stands outside of: it may run many times. */
function repeatedAround(
  { syntax: { startOf } }: Reading,
  node: TypeScript.Node,
  declaration: TypeScript.Node,
): Range | undefined {
  const ts = typescript()
  let found: Range | undefined
  for (let n = node.parent; n !== undefined && !ts.isSourceFile(n); n = n.parent) {
    if (n.pos <= declaration.pos && declaration.end <= n.end) break
    if (ts.isFunctionLike(n) || ts.isIterationStatement(n, false)) found = [startOf(n), n.end]
  }
  return found
}

/** The function or class that a declaration makes. */
function functionFor(
  { functionOf, syntax }: Reading,
  declaration: TypeScript.Declaration,
): number | undefined {
  if (typescript().isVariableDeclaration(declaration) && declaration.initializer)
    return functionOf.get(syntax.unwrap(declaration.initializer))
  return functionOf.get(declaration)
}

function settleCalls(reading: Reading): void {
  const ts = typescript()
  const { symbolOf } = symbolsOf(reading)
  const { functionOf, calls, pendingCalls, assigned, syntax } = reading
  for (const { call, args } of pendingCalls)
    for (const arg of args) {
      let fn = functionOf.get(arg)
      const declaration =
        fn === undefined && ts.isIdentifier(arg) ? symbolOf(arg)?.valueDeclaration : undefined
      if (declaration && !assigned.has(syntax.startOf(declaration))) fn = functionFor(reading, declaration)
      if (fn !== undefined) calls[call]!.functions.push(fn)
    }
}

/** Where module-level names and imports stand. */
export function positionsOf({ text, declarations, uses }: Reading): Record<string, number[]> {
  const positions = new Map<string, number[]>()
  for (const d of declarations)
    for (const name of d.names) {
      if (d.isDefault) continue
      const word = new RegExp(`(?<![\\w$])${name.replace(/\$/g, '\\$')}(?![\\w$])`)
      positions.set(name, [d.start + text.slice(d.start, d.end).search(word)])
    }
  for (const use of uses) {
    if (use.local !== undefined || use.name.includes(':')) continue
    const known = positions.get(use.name) ?? []
    // a few are enough: each one leads to the same name
    if (known.length < 8) positions.set(use.name, [...known, use.at])
  }
  return Object.fromEntries(positions)
}
