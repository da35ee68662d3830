import type { ts as TypeScript } from 'ts-morph'
import { typescript } from './syntax.ts'

const mutators = new Set(
  'push unshift pop shift splice sort reverse fill copyWithin set add delete clear'.split(' '),
)

/** What is done to a name where it stands. */
export function usageOf(source: TypeScript.SourceFile) {
  const ts = typescript()
  const isWrite = (node: TypeScript.Node): boolean => {
    let child = node
    let parent = node.parent
    for (;;) {
      if (ts.isBinaryExpression(parent))
        return (
          parent.left === child &&
          parent.operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
          parent.operatorToken.kind <= ts.SyntaxKind.LastAssignment
        )
      if (ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent))
        return (
          parent.operator === ts.SyntaxKind.PlusPlusToken || parent.operator === ts.SyntaxKind.MinusMinusToken
        )
      if (ts.isForInStatement(parent) || ts.isForOfStatement(parent)) return parent.initializer === child
      if (
        ts.isParenthesizedExpression(parent) ||
        ts.isArrayLiteralExpression(parent) ||
        ts.isObjectLiteralExpression(parent) ||
        ts.isSpreadElement(parent) ||
        ts.isSpreadAssignment(parent) ||
        ts.isNonNullExpression(parent) ||
        ts.isShorthandPropertyAssignment(parent) ||
        (ts.isPropertyAssignment(parent) && parent.initializer === child)
      ) {
        child = parent
        parent = parent.parent
        continue
      }
      return false
    }
  }

  const isMutation = (node: TypeScript.Node): boolean => {
    let child = node
    while (
      (ts.isPropertyAccessExpression(child.parent) || ts.isElementAccessExpression(child.parent)) &&
      child.parent.expression === child
    )
      child = child.parent
    const parent = child.parent
    if (ts.isCallExpression(parent)) {
      if (parent.arguments[0] === child)
        return /^(Object|Reflect)\.\w+$/.test(parent.expression.getText(source))
      return child !== node && ts.isPropertyAccessExpression(child) && mutators.has(child.name.text)
    }
    return child !== node && (ts.isDeleteExpression(parent) || isWrite(child))
  }

  const isReference = (node: TypeScript.Identifier): boolean => {
    const p = node.parent
    if (ts.isPropertyAccessExpression(p)) return p.expression === node
    if (ts.isShorthandPropertyAssignment(p)) return true
    if (ts.isBindingElement(p)) return p.initializer === node
    if (ts.isPropertyAssignment(p)) return p.initializer === node
    if (ts.isExportAssignment(p)) return true
    if (ts.isJsxAttribute(p) || ts.isMetaProperty(p) || ts.isLabeledStatement(p)) return false
    if (ts.isBreakOrContinueStatement(p) || ts.isExportSpecifier(p) || ts.isImportSpecifier(p)) return false
    if (ts.isJsxOpeningLikeElement(p) || ts.isJsxClosingElement(p)) return /^[A-Z_$]/.test(node.text)
    if ((p as { name?: unknown }).name === node) return false
    return true
  }

  return { isWrite, isMutation, isReference }
}
