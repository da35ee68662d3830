import type { ts as TypeScript } from 'ts-morph'
import type { LoopPlan } from '../../core/loops/plan.ts'
import { typescript } from '../analyze/syntax.ts'
import type { Edit } from './edits.ts'
import { isKept, type Layout, usedIn, variablesUpTo } from './layout.ts'
import { isLight } from './light.ts'
import type { Node, Tree } from './tree.ts'

const course = '$farcallLoop'

/** Text of ours in the function, so that it can begin, leave and go on at its loops. */
export function editsFor(layout: Layout, plans: readonly LoopPlan[], tree: Tree): Edit[] {
  const ts = typescript()
  const { fn, statements, split } = layout
  const edits: Edit[] = []
  const start = (node: Node) => node.getStart(tree.source)
  const text = (node: Node) => node.getText(tree.source)
  const isBlock = fn.body !== undefined && ts.isBlock(fn.body)
  const last = split.at(-1)!
  const hoisted = [...variablesUpTo(layout, last.index, []).values()]
  const restored = new Set<string>()

  for (const [number, loop] of split.entries()) {
    const { form, findings, index } = loop
    const variables = variablesUpTo(layout, index)
    const { body, head } = plans[number]!
    const rest = usedIn(statements.slice(index), variables, layout, tree)
    const names = [...new Set([...body, ...head, ...rest])].sort()
    for (const name of names) restored.add(name)
    const values = `()=>({${names.join(',')}})`
    if (form.mapping) {
      const call = form.node as TypeScript.CallExpression
      const access = call.expression as TypeScript.PropertyAccessExpression
      const [callback] = call.arguments
      edits.push({
        at: start(form.mapping.receiver),
        text: `${course}.map(${number},${course}.from>${number}?[]:`,
      })
      edits.push({ at: access.expression.end, end: start(callback!), text: ',' })
      edits.push({ at: callback!.end, end: call.end - 1, text: `,${values}` })
    } else if (form.counting) {
      const { name, first, op, bound, step } = form.counting
      const node = form.node as TypeScript.ForStatement
      const count = `${course}.from>${number}?[]:$farcallLoops.count(${text(first)},"${op}",${text(bound)},${step})`
      edits.push({
        at: name.end,
        end: node.incrementor!.end,
        text: ` of ${course}.over(${number},${count},${values})`,
      })
    } else {
      const { expression } = form.node as TypeScript.ForOfStatement
      edits.push({ at: start(expression), text: `${course}.over(${number},${course}.from>${number}?[]:` })
      edits.push({ at: expression.end, text: `,${values})` })
    }
    for (const { site, value, statement } of findings!.sites) {
      if (value) {
        edits.push({ at: start(value), text: `${course}.fold(${number},${site},` })
        edits.push({ at: value.end, text: ')' })
      } else edits.push({ at: start(statement), text: `${course}.fold(${number},${site},1),` })
    }
  }

  // Segment j and the loop behind it: each runs unless the function goes on further down.
  const guards = statements
    .slice(0, last.index)
    .map((statement, i): { threshold: number; statement: Node } | undefined => {
      if (isKept(statement)) return undefined
      const loop = split.findIndex(({ index }) => index >= i)
      return { threshold: split[loop]!.index === i ? loop + 1 : loop, statement }
    })
  for (const [i, guard] of guards.entries()) {
    if (!guard) continue
    const { statement, threshold } = guard
    if (guards[i - 1]?.threshold !== threshold)
      edits.push({ at: start(statement), text: `if(${course}.from<=${threshold}){` })
    if (ts.isVariableStatement(statement)) edits.push(...assignments(statement, tree))
    if (guards[i + 1]?.threshold !== threshold) edits.push({ at: statement.end, text: '}' })
  }
  for (const [number, { form, index }] of split.entries())
    if (!form.mapping) edits.push({ at: statements[index]!.end, text: `;${course}.end(${number});` })

  const enter = [
    `const ${course}=$farcallLoops.enter();`,
    hoisted.length > 0 ? `let ${hoisted.join(',')};` : '',
    restored.size > 0 ? `if(${course}.restore)({${[...restored].sort().join(',')}}=${course}.restore);` : '',
  ].join('')
  if (isBlock) edits.unshift({ at: enterAt(layout, tree), text: enter })
  else {
    edits.unshift({ at: start(fn.body!), text: `{${enter}return (` })
    edits.push({ at: fn.body!.end, text: ')}' })
  }
  return inOrder(edits)
}

/** Stable: what is to stand first at a place was put first. */
const inOrder = (edits: readonly Edit[]): Edit[] => [...edits].sort((a, b) => a.at - b.at)

/** Behind 'use strict' and its like. */
function enterAt({ statements, fn }: Layout, tree: Tree): number {
  const ts = typescript()
  const directive = (statements as TypeScript.Statement[]).findLast(
    (one, i) => i < 2 && ts.isExpressionStatement(one) && ts.isStringLiteral(one.expression),
  )
  return directive ? directive.end : fn.body!.getStart(tree.source) + 1
}

/** `const a: T = f(b)` becomes `;(a = f(b));`, of a variable that stands further up. */
function assignments(statement: TypeScript.VariableStatement, tree: Tree): Edit[] {
  const list = statement.declarationList
  const from = list.getStart(tree.source)
  const first = list.declarations[0]!.getStart(tree.source)
  const edits: Edit[] = [{ at: from, end: first, text: ';(' }]
  for (const declaration of list.declarations) {
    if (declaration.exclamationToken)
      edits.push({ at: declaration.exclamationToken.pos, end: declaration.exclamationToken.end, text: '' })
    if (!declaration.type) continue
    const after = declaration.exclamationToken ?? declaration.name
    edits.push({ at: after.end, end: declaration.type.end, text: '' })
  }
  edits.push({ at: list.end, text: ');' })
  return edits
}

/** Which segments are light; and what is left out of the function's text when only these are to run. */
export function lightness(layout: Layout, tree: Tree): { light: boolean[]; without: Edit[] } {
  const { fn, statements, split } = layout
  const light: boolean[] = []
  const without: Edit[] = []
  const blank = (node: Node, text = '') =>
    without.push({ at: node.getStart(tree.source), end: node.end, text })
  const parameters = fn.parameters.every((p) => isLight(p, fn, tree))
  for (let j = 0; j <= split.length; j++) {
    const from = j === 0 ? 0 : split[j - 1]!.index + 1
    const to = j === split.length ? statements.length : split[j]!.index
    const own = statements.slice(from, to).filter((one) => !isKept(one))
    const before = split[j - 1]
    const after = split[j]
    const pieces: Node[] = [...own]
    // the rest of the statement that a map stands in, and what says which turns there are
    if (before?.form.mapping) pieces.push(before.statement!)
    if (after) pieces.push(...after.form.head)
    const isPieceLight = (piece: Node) =>
      before?.form.mapping && piece === before.statement
        ? aroundIsLight(piece, before.form.node, fn, tree)
        : isLight(piece, fn, tree)
    const all = pieces.every(isPieceLight) && (j > 0 || parameters)
    light.push(all)
    if (!all) for (const statement of own) blank(statement)
  }
  for (const { form } of split) {
    if (form.mapping) blank(form.body, '()=>{}')
    else blank(form.body, '{}')
  }
  for (const statement of statements) if (isKept(statement)) blank(statement)
  return { light, without }
}

/** A statement without the call of map in it. */
function aroundIsLight(statement: Node, call: Node, fn: Node, tree: Tree): boolean {
  const ts = typescript()
  let light = true
  for (let child = call; child !== statement; child = child.parent) {
    const { parent } = child
    ts.forEachChild(parent, (other) => {
      if (other !== child && !ts.isTypeNode(other) && !isDeclaredName(other))
        light &&= isLight(other, fn, tree)
    })
    if ((ts.isCallExpression(parent) || ts.isNewExpression(parent)) && light)
      light = isLightAround(parent, child, tree)
  }
  return light
}

const isDeclaredName = (node: Node) =>
  typescript().isVariableDeclaration(node.parent) && node.parent.name === node

/** A call with one part of it left out of sight. */
function isLightAround(
  call: TypeScript.CallExpression | TypeScript.NewExpression,
  child: Node,
  tree: Tree,
): boolean {
  const text = call.expression.getText(tree.source)
  if (call.expression !== child)
    return /^(Promise\.all|Math\.(?!random)\w+|Object\.\w+|Set|Map|Array\.\w+|Number|String)$/.test(text)
  return false
}
