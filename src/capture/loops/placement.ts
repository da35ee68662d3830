import { typescript } from '../analyze/syntax.ts'
import type { Form } from './forms.ts'
import type { Judged, Piece } from './layout.ts'
import { isLight } from './light.ts'
import { bare, type FunctionLike, isFunction, isReference, type Node, type Tree, walk } from './tree.ts'

/** What keeps every loop of the function as it is. */
export function objectionTo(fn: FunctionLike, statements: readonly Piece[]): Judged['why'] {
  const ts = typescript()
  if (fn.asteriskToken) return { node: fn, text: 'the function is a generator' }
  if (fn.parameters.length > 30) return { node: fn, text: 'the function has more than 30 parameters' }
  let why: Judged['why']
  walk(fn, (node) => {
    if (why) return false
    if (ts.isIdentifier(node) && node.text === 'arguments' && isReference(node))
      why = { node, text: `the function uses 'arguments'` }
    if (ts.isParameter(node) && node.parent === fn)
      walk(node, (one) => {
        if (ts.isComputedPropertyName(one)) why = { node: one, text: 'a parameter has a computed name in it' }
        return undefined
      })
    if (ts.isVariableDeclarationList(node)) {
      const flags = node.flags & ts.NodeFlags.BlockScoped
      if (
        (node.flags & ts.NodeFlags.Using) === ts.NodeFlags.Using ||
        (node.flags & ts.NodeFlags.AwaitUsing) === ts.NodeFlags.AwaitUsing
      )
        why = { node, text: 'the function disposes of a value (`using`)' }
      else if (flags === 0 && !statements.includes(node.parent as Piece) && !inner(node, fn))
        why = { node, text: 'a `var` stands deeper than the variables of the function' }
    }
    if (ts.isClassDeclaration(node) && statements.includes(node as Piece))
      why = { node, text: `declares the class '${node.name?.text ?? ''}', whose objects cannot travel` }
    if ((ts.isEnumDeclaration(node) || ts.isModuleDeclaration(node)) && statements.includes(node as Piece))
      why = { node, text: 'declares an enum in the function' }
    return undefined
  })
  return why
}

function inner(node: Node, fn: Node): boolean {
  for (let n = node.parent; n && n !== fn; n = n.parent) if (isFunction(n)) return true
  return false
}

/** Why a loop does not stand where the function can be left and gone on with. */
export function placeObjection(
  form: Form,
  statement: Node,
  fn: FunctionLike,
  tree: Tree,
): string | undefined {
  const ts = typescript()
  if (form.kind !== 'map') {
    const own = ts.isLabeledStatement(statement) ? statement.statement : statement
    if (own === form.node) return undefined
    const around = ts.findAncestor(form.node.parent, (n) => !ts.isBlock(n))!
    const word = ts.isIfStatement(around)
      ? 'an `if`'
      : ts.isTryStatement(around) || ts.isCatchClause(around)
        ? 'a `try`'
        : 'a block'
    return `stands in ${word}: only a loop at the top of the function is split`
  }
  for (let child = form.node; child !== statement; child = child.parent) {
    const { parent } = child
    const before = siblingsBefore(parent, child)
    if (!before?.every((one) => isMention(one) || isLight(one, fn, tree)))
      return 'its statement does something else before it, or with it'
  }
  return undefined
}

/** `Study.mean`: nothing runs. */
function isMention(node: Node): boolean {
  const ts = typescript()
  return ts.isIdentifier(node) || (ts.isPropertyAccessExpression(node) && isMention(node.expression))
}

/** What runs before a part of an expression or statement; undefined: the part may run not at all, or more than once. */
function siblingsBefore(parent: Node, child: Node): readonly Node[] | undefined {
  const ts = typescript()
  const upTo = <T extends Node>(list: readonly T[]) => list.slice(0, list.indexOf(child as T))
  if (
    ts.isParenthesizedExpression(parent) ||
    ts.isAsExpression(parent) ||
    ts.isSatisfiesExpression(parent) ||
    ts.isNonNullExpression(parent) ||
    ts.isAwaitExpression(parent) ||
    ts.isSpreadElement(parent) ||
    ts.isSpreadAssignment(parent) ||
    ts.isReturnStatement(parent) ||
    ts.isExpressionStatement(parent) ||
    ts.isVariableStatement(parent) ||
    ts.isPropertyAssignment(parent)
  )
    return []
  if (ts.isPropertyAccessExpression(parent)) return parent.questionDotToken ? undefined : []
  if (ts.isElementAccessExpression(parent)) return parent.expression === child ? [] : undefined
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) {
    if (parent.expression === child) return []
    return [parent.expression, ...upTo(parent.arguments ?? [])]
  }
  if (ts.isBinaryExpression(parent)) {
    const { kind } = parent.operatorToken
    if (kind === ts.SyntaxKind.EqualsToken)
      return parent.right === child && ts.isIdentifier(bare(parent.left)) ? [] : undefined
    return parent.left === child ? [] : undefined
  }
  if (ts.isArrayLiteralExpression(parent)) return upTo(parent.elements)
  if (ts.isObjectLiteralExpression(parent)) return upTo(parent.properties)
  if (ts.isVariableDeclarationList(parent)) return upTo(parent.declarations)
  if (ts.isVariableDeclaration(parent)) return []
  return undefined
}
