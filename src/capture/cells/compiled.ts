import type { ts as TypeScript } from 'ts-morph'
import { typescript } from '../analyze/syntax.ts'

const opening = /^\((?:async )?function\(exports, require\) \{ /
const closing = '\n})(__tslab__.exports, __tslab__.require)'

/** tslab's cells have no address of their own. */
export const isCellUrl = (url: string): boolean => url === 'evalmachine.<anonymous>'

/** Whether a script is what tslab made of a cell. */
export const isCell = (script: string): boolean => opening.test(script) && script.endsWith(closing)

/**
 * What tslab made of a cell, as a module: names of other cells, `exports.k` there, are names that nothing declares.
 * What is not needed is turned into spaces, so that positions stay.
 */
export function cellModule(script: string): string {
  const ts = typescript()
  const source = ts.createSourceFile('cell.js', script, ts.ScriptTarget.Latest, true)
  const units = script.split('')
  const blank = (start: number, end: number) => {
    for (let at = start; at < end; at++) if (units[at] !== '\n') units[at] = ' '
  }
  blank(0, opening.exec(script)![0].length)
  blank(script.length - closing.length, script.length)
  const visit = (node: TypeScript.Node): void => {
    if (isPlumbing(node, ts)) {
      blank(node.getStart(source), node.end)
      return
    }
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      if (node.expression.text === 'exports') blank(node.getStart(source), node.name.getStart(source))
    }
    ts.forEachChild(node, visit)
  }
  ts.forEachChild(source, visit)
  return units.join('')
}

/** What makes a cell's names known to other cells: `exports.k = k`, `exports.a = exports.b = void 0` and the like. */
function isPlumbing(node: TypeScript.Node, ts: typeof TypeScript): boolean {
  if (!ts.isExpressionStatement(node)) return false
  const { expression } = node
  if (ts.isCallExpression(expression))
    return (
      expression.expression.getText() === 'Object.defineProperty' &&
      expression.arguments[0]?.getText() === 'exports'
    )
  let value: TypeScript.Expression = expression
  const names: string[] = []
  while (ts.isBinaryExpression(value) && value.operatorToken.kind === ts.SyntaxKind.EqualsToken) {
    const { left } = value
    if (!ts.isPropertyAccessExpression(left) || left.expression.getText() !== 'exports') return false
    names.push(left.name.text)
    value = value.right
  }
  if (names.length === 0) return false
  return value.getText() === 'void 0' || (ts.isIdentifier(value) && names.includes(value.text))
}
