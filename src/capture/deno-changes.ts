import type { ts as TypeScript } from 'ts-morph'
import { CaptureError } from '../core/errors.ts'
import { typescript } from './analyze/syntax.ts'
import { runningCell } from './deno-imports.ts'
import { offsetOf } from './positions.ts'

/**
 * In Deno's REPL and kernel variables are read after the turn in which the call was made.
 *
 * @throws CaptureError CAPTURE_REFUSED when the cell that made the call may assign to one of them in between
 */
export function requireUnchanged(variables: readonly string[], stack = ''): void {
  const cell = runningCell()
  const at = /^\s*at (?:.*\()?<anonymous>:(\d+):(\d+)\)?$/m.exec(stack)
  if (cell === undefined || !at) return
  const found = assignedMeanwhile(cell, offsetOf(cell, Number(at[1]), Number(at[2])), new Set(variables))
  if (!found) return
  throw new CaptureError(
    'CAPTURE_REFUSED',
    `captured '${found.name}': the cell may assign to it (${found.text}) before Deno lets it be read`,
    { hint: `give ${found.name} as an argument, or await the call before it changes` },
  )
}

/** The first assignment that may come after the call at `call` and before its turn is over. */
export function assignedMeanwhile(
  cell: string,
  call: number,
  names: ReadonlySet<string>,
): { name: string; text: string } | undefined {
  const ts = typescript()
  const source = ts.createSourceFile('cell.ts', cell, ts.ScriptTarget.Latest, true)
  const around = enclosing(source, call, ts)
  const outermost = around.find((node) => ts.isFunctionLike(node) || ts.isIterationStatement(node, false))
  const isInFunction = around.some((node) => ts.isFunctionLike(node))
  // The cell goes on when the call has ended.
  if (!isInFunction && around.some((node) => ts.isAwaitExpression(node))) return undefined
  const from = outermost?.getStart(source) ?? call
  const behind = outermost?.end ?? call
  let found: { name: string; text: string } | undefined
  let isOver = false
  const visit = (node: TypeScript.Node): void => {
    if (isOver || found || node.end <= from) return
    const written = node.getStart(source) >= from ? target(node, ts) : undefined
    ts.forEachChild(node, visit)
    // What is awaited behind the call ends the turn; what stands before it has run.
    if (ts.isAwaitExpression(node) && node.getStart(source) >= behind) isOver = true
    if (!found && !isOver && written && names.has(written.text))
      found = { name: written.text, text: node.getText(source) }
  }
  visit(source)
  return found
}

/** The nodes that hold a position, the outermost first. */
function enclosing(source: TypeScript.SourceFile, at: number, ts: typeof TypeScript): TypeScript.Node[] {
  const found: TypeScript.Node[] = []
  const visit = (node: TypeScript.Node): void => {
    if (at < node.getStart(source) || at >= node.end) return
    if (node !== source) found.push(node)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** The variable that an assignment or ++ writes to. */
function target(node: TypeScript.Node, ts: typeof TypeScript): TypeScript.Identifier | undefined {
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken
    const assigns = kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment
    return assigns && ts.isIdentifier(node.left) ? node.left : undefined
  }
  if (!ts.isPrefixUnaryExpression(node) && !ts.isPostfixUnaryExpression(node)) return undefined
  const counts = [ts.SyntaxKind.PlusPlusToken, ts.SyntaxKind.MinusMinusToken].includes(node.operator)
  return counts && ts.isIdentifier(node.operand) ? node.operand : undefined
}
