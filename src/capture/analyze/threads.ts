import type { ts as TypeScript } from 'ts-morph'
import type { Reading } from './reading.ts'
import { symbolsOf } from './symbols.ts'
import { typescript } from './syntax.ts'

/** `localMap(…)` or `farcall.localMap(…)`, of ours; also `(0, farcall.localMap)(…)`, as compilers write it. */
export function isLocalMap(
  reading: Reading,
  { expression, arguments: args }: TypeScript.CallExpression,
): boolean {
  const ts = typescript()
  const { symbolOf } = symbolsOf(reading)
  if (args.length < 2) return false
  let callee = reading.syntax.unwrap(expression)
  if (ts.isBinaryExpression(callee) && callee.operatorToken.kind === ts.SyntaxKind.CommaToken)
    callee = callee.right
  const isMember = ts.isPropertyAccessExpression(callee) && callee.name.text === 'localMap'
  const name = isMember ? (callee as TypeScript.PropertyAccessExpression).expression : callee
  if (!ts.isIdentifier(name)) return false
  const declaration = symbolOf(name)?.declarations?.[0]
  const from = declaration && sourceOf(reading, declaration)
  if (!from || !reading.isOwn(from)) return false
  const isOne = ts.isImportSpecifier(declaration) || ts.isBindingElement(declaration)
  if (isMember || !isOne) return isMember && !isOne
  const own = declaration.propertyName ?? declaration.name
  return (ts.isIdentifier(own) || ts.isStringLiteral(own)) && own.text === 'localMap'
}

/** The module that an import or a `require` gives the name from. */
function sourceOf(reading: Reading, declaration: TypeScript.Declaration): string | undefined {
  const ts = typescript()
  const imported = symbolsOf(reading).importOf(declaration)
  if (imported) return (imported.moduleSpecifier as TypeScript.StringLiteral).text
  const variable = ts.isBindingElement(declaration) ? declaration.parent.parent : declaration
  if (!ts.isVariableDeclaration(variable) || !variable.initializer) return undefined
  let made = reading.syntax.unwrap(variable.initializer)
  // __importStar(require('farcall'))
  while (ts.isCallExpression(made) && made.arguments[0] && ts.isCallExpression(made.arguments[0]))
    made = made.arguments[0]
  if (!ts.isCallExpression(made) || made.expression.getText(reading.source) !== 'require') return undefined
  const [first] = made.arguments
  return first && ts.isStringLiteralLike(first) ? first.text : undefined
}

/** Which functions they are given: once all functions, and what these capture, are known. */
export function settleThreads(reading: Reading): void {
  const ts = typescript()
  const { threads, pendingThreads, functionOf, assigned, checker } = reading
  const { startOf, unwrap } = reading.syntax
  const { symbolOf, isTopLevel, importOf } = symbolsOf(reading)
  for (const call of pendingThreads) {
    const argument = call.arguments[1]!
    const node = unwrap(argument)
    const place = { at: startOf(call), end: argument.end }
    const inline = functionOf.get(node)
    const declaration = ts.isIdentifier(node) ? symbolOf(node)?.declarations?.[0] : undefined
    if (inline !== undefined) threads.push({ ...place, fn: inline })
    else if (declaration && (importOf(declaration) || isTopLevel(declaration)))
      threads.push({ ...place, name: (node as TypeScript.Identifier).text })
    else if (declaration && !assigned.has(startOf(declaration))) {
      const initializer = ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined
      const fn = functionOf.get(initializer ? unwrap(initializer) : declaration)
      const hidden = fn === undefined ? undefined : hiddenName(fn, call)
      threads.push({
        ...place,
        ...(fn === undefined ? {} : { fn }),
        ...(hidden === undefined ? {} : { hidden }),
      })
    } else threads.push(place)
  }

  /** A variable that the function, or one that it captured, sees and the call does not. */
  function hiddenName(fn: number, call: TypeScript.Node, seen = new Set<number>()): string | undefined {
    seen.add(fn)
    const inScope = new Map(
      checker.getSymbolsInScope(call, ts.SymbolFlags.Value).map((symbol) => [symbol.name, symbol]),
    )
    for (const capture of reading.functions[fn]!.captures) {
      const found = inScope.get(capture.name)?.declarations?.[0]
      if (!found || startOf(found) !== capture.declaration) return capture.name
      const deeper =
        capture.fn === undefined || seen.has(capture.fn) ? undefined : hiddenName(capture.fn, call, seen)
      if (deeper !== undefined) return deeper
    }
    return undefined
  }
}
