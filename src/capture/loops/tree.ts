import type { ts as TypeScript } from 'ts-morph'
import { openReading } from '../analyze/reading.ts'
import { symbolsOf } from '../analyze/symbols.ts'
import { typescript } from '../analyze/syntax.ts'
import { positionOf } from '../positions.ts'
import type { UserFile } from '../sources.ts'

export type Node = TypeScript.Node

/** A file with its syntax tree, in which each name leads to what it stands for. */
export interface Tree {
  readonly file: UserFile
  readonly source: TypeScript.SourceFile
  /** Undefined: nothing in the file declares it. */
  declarationOf(name: TypeScript.Identifier): TypeScript.Declaration | undefined
  line(node: Node): number
}

const trees = new WeakMap<UserFile, Tree>()

export function treeOf(file: UserFile): Tree {
  const known = trees.get(file)
  if (known) return known
  const reading = openReading(file.path, file.text, () => false)
  const { source } = reading
  const { symbolOf } = symbolsOf(reading)
  const tree: Tree = {
    file,
    source,
    declarationOf(name) {
      const symbol = symbolOf(name)
      const declaration = symbol?.valueDeclaration ?? symbol?.declarations?.[0]
      return declaration?.getSourceFile() === source ? declaration : undefined
    },
    line: (node) => positionOf(file.text, node.getStart(source)).line,
  }
  trees.set(file, tree)
  return tree
}

/** The function that stands at these offsets. */
export function functionAt(tree: Tree, start: number, end: number): FunctionLike | undefined {
  const ts = typescript()
  const visit = (node: Node): FunctionLike | undefined => {
    if (isFunction(node) && node.getStart(tree.source) === start && node.end === end) return node
    return node.pos <= start && end <= node.end ? ts.forEachChild(node, visit) : undefined
  }
  return ts.forEachChild(tree.source, visit)
}

export type FunctionLike =
  | TypeScript.FunctionDeclaration
  | TypeScript.FunctionExpression
  | TypeScript.ArrowFunction
  | TypeScript.MethodDeclaration
  | TypeScript.ConstructorDeclaration
  | TypeScript.AccessorDeclaration

export function isFunction(node: Node): node is FunctionLike {
  const ts = typescript()
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isFunctionExpression(node) ||
    ts.isArrowFunction(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isConstructorDeclaration(node) ||
    ts.isGetAccessor(node) ||
    ts.isSetAccessor(node)
  )
}

/** Without parentheses, casts and `!`. */
export function bare(node: TypeScript.Expression): TypeScript.Expression {
  const ts = typescript()
  let n = node
  while (
    ts.isParenthesizedExpression(n) ||
    ts.isAsExpression(n) ||
    ts.isSatisfiesExpression(n) ||
    ts.isNonNullExpression(n) ||
    ts.isTypeAssertionExpression(n)
  )
    n = n.expression
  return n
}

export const contains = (outer: Node, inner: Node): boolean =>
  outer.pos <= inner.pos && inner.end <= outer.end

/** Every node that runs: no types, no names of members. */
export function walk(root: Node, visit: (node: Node) => boolean | undefined): void {
  const ts = typescript()
  const go = (node: Node): void => {
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return
    if (
      ts.isInterfaceDeclaration(node) ||
      ts.isTypeAliasDeclaration(node) ||
      ts.isTypeParameterDeclaration(node)
    )
      return
    if (visit(node) === false) return
    ts.forEachChild(node, go)
  }
  go(root)
}

/** Names where a value is read or written, not where one is declared. */
export function isReference(node: TypeScript.Identifier): boolean {
  const ts = typescript()
  const p = node.parent
  if (ts.isPropertyAccessExpression(p)) return p.expression === node
  if (ts.isShorthandPropertyAssignment(p)) return true
  if (ts.isBindingElement(p) || ts.isPropertyAssignment(p)) return p.initializer === node
  if (ts.isLabeledStatement(p) || ts.isBreakOrContinueStatement(p) || ts.isMetaProperty(p)) return false
  if (ts.isJsxAttribute(p)) return false
  return (p as { name?: unknown }).name !== node
}

/** The name that a chain of members begins with, and how many of them are between. */
export function rootOf(node: TypeScript.Expression): { root: TypeScript.Expression; depth: number } {
  const ts = typescript()
  let n = bare(node)
  let depth = 0
  while (ts.isPropertyAccessExpression(n) || ts.isElementAccessExpression(n)) {
    n = bare(n.expression)
    depth++
  }
  return { root: n, depth }
}
