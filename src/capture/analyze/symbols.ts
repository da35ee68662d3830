import type { ts as TypeScript } from 'ts-morph'
import type { Range } from '../analysis.ts'
import type { Reading } from './reading.ts'
import { typescript } from './syntax.ts'

/** What the names of a file stand for. */
export function symbolsOf(reading: Reading) {
  const ts = typescript()
  const { checker, isOwn } = reading
  const { startOf } = reading.syntax

  const symbolOf = (node: TypeScript.Identifier) =>
    ts.isShorthandPropertyAssignment(node.parent) && node.parent.name === node
      ? checker.getShorthandAssignmentValueSymbol(node.parent)
      : checker.getSymbolAtLocation(node)

  const isTopLevel = (node: TypeScript.Node): boolean => {
    let n = node
    while (
      ts.isBindingElement(n) ||
      ts.isObjectBindingPattern(n) ||
      ts.isArrayBindingPattern(n) ||
      ts.isVariableDeclaration(n) ||
      ts.isVariableDeclarationList(n) ||
      ts.isVariableStatement(n)
    )
      n = n.parent
    if (ts.isSourceFile(n)) return true
    return ts.isSourceFile(n.parent) && n === node
  }

  const importOf = (node: TypeScript.Node): TypeScript.ImportDeclaration | undefined => {
    const found = ts.findAncestor(node, ts.isImportDeclaration)
    return found && ts.isStringLiteral(found.moduleSpecifier) ? found : undefined
  }

  /** `cluster`, `farcall.cluster({…})`, or a constant that holds one. */
  const isOwnExpression = (expression: TypeScript.Expression, depth = 0): boolean => {
    let node: TypeScript.Expression = expression
    while (ts.isCallExpression(node) || ts.isPropertyAccessExpression(node)) node = node.expression
    if (!ts.isIdentifier(node) || depth > 3) return false
    const declaration = symbolOf(node)?.declarations?.[0]
    if (declaration === undefined) return false
    const from = importOf(declaration)
    if (from) return isOwn((from.moduleSpecifier as TypeScript.StringLiteral).text)
    return (
      ts.isVariableDeclaration(declaration) &&
      declaration.initializer !== undefined &&
      ts.isCallExpression(declaration.initializer) &&
      isOwnExpression(declaration.initializer, depth + 1)
    )
  }

  /** Where blanking a decorator ends: without a newline it may share the line with what follows. */
  const ownDecorators = (node: TypeScript.Node): Range[] =>
    ts.canHaveDecorators(node)
      ? (ts.getDecorators(node) ?? [])
          .filter((d) => isOwnExpression(d.expression))
          .map((d): Range => [startOf(d), d.end])
      : []

  /** Whether a class has decorators of the program, at itself, its members or their parameters. */
  const isDecorated = (type: TypeScript.ClassLikeDeclaration): boolean => {
    const members = type.members.flatMap((member): TypeScript.Node[] => [
      member,
      ...((member as Partial<TypeScript.MethodDeclaration>).parameters ?? []),
    ])
    return [type, ...members].some(
      (node) =>
        ts.canHaveDecorators(node) && ts.getDecorators(node)?.some((d) => !isOwnExpression(d.expression)),
    )
  }

  return { symbolOf, isTopLevel, importOf, isOwnExpression, ownDecorators, isDecorated }
}
