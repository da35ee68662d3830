import type { ts as TypeScript } from 'ts-morph'
import { typescript } from '../analyze/syntax.ts'
import { bare, contains, isFunction, type Node, rootOf, type Tree, walk } from './tree.ts'

const copying = new Set(
  'map filter slice concat flat flatMap split toSorted toReversed toSpliced with keys values entries matchAll'.split(
    ' ',
  ),
)
const copyingStatics = new Set(
  'Array.from Array.of Object.keys Object.values Object.entries Object.fromEntries JSON.parse structuredClone'.split(
    ' ',
  ),
)
const numericMembers = new Set('length size byteLength'.split(' '))
const numericCalls =
  /^(Math\.\w+|Number|String|Boolean|BigInt|parseInt|parseFloat|Number\.\w+|performance\.now|Date\.now)$/
const numericMethods = new Set(
  'toFixed toString toUpperCase toLowerCase trim charCodeAt codePointAt charAt indexOf lastIndexOf join includes startsWith endsWith padStart padEnd repeat getTime test localeCompare'.split(
    ' ',
  ),
)

/** What is known of values by how they come about. `within`: what is made outside of it may be in other hands. */
export function freshnessIn(tree: Tree, within: Node) {
  const ts = typescript()
  const text = (node: Node) => node.getText(tree.source)

  /** A number, a text or the like: nothing that could be changed. */
  const isPrimitive = (given: TypeScript.Expression, depth = 0): boolean => {
    const node = bare(given)
    if (ts.isNumericLiteral(node) || ts.isBigIntLiteral(node) || ts.isStringLiteralLike(node)) return true
    if (ts.isTemplateExpression(node) || ts.isTypeOfExpression(node) || ts.isVoidExpression(node)) return true
    if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) return true
    if (
      [ts.SyntaxKind.TrueKeyword, ts.SyntaxKind.FalseKeyword, ts.SyntaxKind.NullKeyword].includes(node.kind)
    )
      return true
    if (ts.isConditionalExpression(node))
      return isPrimitive(node.whenTrue, depth) && isPrimitive(node.whenFalse, depth)
    if (ts.isBinaryExpression(node)) {
      const { kind } = node.operatorToken
      if (kind === ts.SyntaxKind.EqualsToken || kind === ts.SyntaxKind.CommaToken)
        return isPrimitive(node.right, depth)
      const either = [
        ts.SyntaxKind.AmpersandAmpersandToken,
        ts.SyntaxKind.BarBarToken,
        ts.SyntaxKind.QuestionQuestionToken,
      ].includes(kind)
      return either ? isPrimitive(node.left, depth) && isPrimitive(node.right, depth) : true
    }
    if (ts.isPropertyAccessExpression(node))
      return numericMembers.has(node.name.text) || text(node) === 'Math.PI'
    if (ts.isCallExpression(node)) {
      if (numericCalls.test(text(node.expression))) return true
      return ts.isPropertyAccessExpression(node.expression) && numericMethods.has(node.expression.name.text)
    }
    if (ts.isIdentifier(node)) {
      if (node.text === 'undefined' || node.text === 'NaN' || node.text === 'Infinity') return true
      const declaration = tree.declarationOf(node)
      if (!declaration || depth > 8) return false
      if (isCounter(declaration)) return true
      return (
        ts.isVariableDeclaration(declaration) &&
        ts.isIdentifier(declaration.name) &&
        declaration.initializer !== undefined &&
        assignedTo(declaration).every((value) => value !== undefined && isPrimitive(value, depth + 1)) &&
        isPrimitive(declaration.initializer, depth + 1)
      )
    }
    return false
  }

  /** `let i = 0` of a counting loop. */
  const isCounter = (declaration: Node): boolean =>
    ts.isVariableDeclaration(declaration) &&
    ts.isForStatement(declaration.parent.parent) &&
    declaration.initializer !== undefined &&
    ts.isNumericLiteral(bare(declaration.initializer)) &&
    assignedTo(declaration).every((value) => value !== undefined && isPrimitive(value, 4))

  /** What is assigned to a variable beside its initialiser; undefined for what a pattern gives. */
  const assignedTo = (declaration: TypeScript.VariableDeclaration): (TypeScript.Expression | undefined)[] => {
    const values: (TypeScript.Expression | undefined)[] = []
    walk(scopeOf(declaration), (node) => {
      if (!ts.isIdentifier(node) || tree.declarationOf(node) !== declaration || node === declaration.name)
        return undefined
      const { parent } = node
      if (ts.isBinaryExpression(parent) && parent.left === node) {
        const { kind } = parent.operatorToken
        if (kind === ts.SyntaxKind.EqualsToken) values.push(parent.right)
        else if (
          kind === ts.SyntaxKind.BarBarEqualsToken ||
          kind === ts.SyntaxKind.AmpersandAmpersandEqualsToken ||
          kind === ts.SyntaxKind.QuestionQuestionEqualsToken
        )
          values.push(parent.right)
      } else if (
        ts.isArrayLiteralExpression(parent) ||
        ts.isShorthandPropertyAssignment(parent) ||
        ts.isPropertyAssignment(parent) ||
        ts.isSpreadElement(parent) ||
        ts.isForOfStatement(parent)
      ) {
        if (isTarget(node)) values.push(undefined)
      }
      return undefined
    })
    return values
  }

  /** Made here: nobody else has it. `deep`: nor what it holds. */
  const isFresh = (given: TypeScript.Expression, deep: boolean, level = 0): boolean => {
    const node = bare(given)
    if (level > 8) return false
    const fine = (value: TypeScript.Expression) =>
      !deep || isPrimitive(value) || isFresh(value, true, level + 1)
    if (isPrimitive(node)) return true
    if (ts.isArrayLiteralExpression(node))
      return node.elements.every((e) => (ts.isSpreadElement(e) ? !deep : fine(e)))
    if (ts.isObjectLiteralExpression(node))
      return node.properties.every((p) => {
        if (ts.isPropertyAssignment(p)) return fine(p.initializer)
        if (ts.isShorthandPropertyAssignment(p)) return fine(p.name)
        return ts.isSpreadAssignment(p) ? !deep : true
      })
    if (ts.isNewExpression(node)) return (node.arguments ?? []).every(fine)
    if (ts.isConditionalExpression(node))
      return isFresh(node.whenTrue, deep, level + 1) && isFresh(node.whenFalse, deep, level + 1)
    if (isFunction(node)) return true
    if (ts.isIdentifier(node)) {
      const declaration = tree.declarationOf(node)
      return declaration !== undefined && isFreshVariable(declaration, deep, level + 1)
    }
    if (!ts.isCallExpression(node)) return false
    const callee = text(node.expression)
    if (callee === 'structuredClone' || callee === 'JSON.parse') return true
    if (callee === 'Array.from') {
      const [from, make] = node.arguments
      if (!deep || !from) return true
      if (!make) return false
      return isFunction(make) && ts.isArrowFunction(make) && !ts.isBlock(make.body) && fine(make.body)
    }
    if (callee === 'Object.assign') {
      const [into, ...rest] = node.arguments
      return into !== undefined && isFresh(into, deep, level + 1) && (!deep || rest.every(fine))
    }
    if (copyingStatics.has(callee)) return !deep || callee === 'Object.keys'
    if (!ts.isPropertyAccessExpression(node.expression)) return false
    const { expression: receiver, name } = node.expression
    if (name.text === 'fill') return isFresh(receiver, deep, level + 1) && node.arguments.every(fine)
    if (name.text === 'sort' || name.text === 'reverse') return isFresh(receiver, deep, level + 1)
    if (name.text === 'map' && deep) {
      const [make] = node.arguments
      return make !== undefined && ts.isArrowFunction(make) && !ts.isBlock(make.body) && fine(make.body)
    }
    if (!copying.has(name.text)) return false
    return !deep || name.text === 'split'
  }

  const isFreshVariable = (declaration: Node, deep: boolean, level = 0): boolean => {
    if (!ts.isVariableDeclaration(declaration) || !ts.isIdentifier(declaration.name)) return false
    if (!declaration.initializer || level > 8 || !contains(within, declaration)) return false
    if (!isFresh(declaration.initializer, deep, level + 1)) return false
    if (!assignedTo(declaration).every((value) => value !== undefined && isFresh(value, deep, level + 1)))
      return false
    if (!deep) return true
    return (
      putInto(declaration).every((value) => isPrimitive(value) || isFresh(value, true, level + 1)) &&
      !hasAlias(declaration)
    )
  }

  /** Whether something else may put things into what the variable holds. */
  const hasAlias = (declaration: TypeScript.VariableDeclaration): boolean => {
    let found = false
    walk(scopeOf(declaration), (node) => {
      if (!ts.isIdentifier(node) || node === declaration.name || tree.declarationOf(node) !== declaration)
        return undefined
      const { parent } = node
      const isRoot =
        (ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent)) &&
        parent.expression === node
      const isGiven =
        ts.isCallExpression(parent) &&
        parent.expression !== node &&
        ts.isPropertyAccessExpression(parent.expression) &&
        ['push', 'add', 'set'].includes(parent.expression.name.text)
      const isRead = ts.isForOfStatement(parent) || ts.isSpreadElement(parent) || ts.isReturnStatement(parent)
      const isAssigned = ts.isBinaryExpression(parent) && parent.left === node
      if (!isRoot && !isGiven && !isRead && !isAssigned) found = true
      return undefined
    })
    return found
  }

  /** What is put into an object by assignment or method. */
  const putInto = (declaration: TypeScript.VariableDeclaration): TypeScript.Expression[] => {
    const values: TypeScript.Expression[] = []
    walk(scopeOf(declaration), (node) => {
      if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken) {
        const { root, depth } = rootOf(node.left)
        if (depth > 0 && ts.isIdentifier(root) && tree.declarationOf(root) === declaration)
          values.push(node.right)
      }
      if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
        const { root } = rootOf(node.expression)
        if (ts.isIdentifier(root) && tree.declarationOf(root) === declaration)
          values.push(...node.arguments.filter((a) => !isFunction(a)))
      }
      return undefined
    })
    return values
  }

  return { isPrimitive, isFresh, isFreshVariable }
}

function scopeOf(declaration: Node): Node {
  const ts = typescript()
  return ts.findAncestor(declaration, (n) => isFunction(n) || ts.isSourceFile(n))!
}

/** Whether a name in a pattern is assigned to. */
function isTarget(node: Node): boolean {
  const ts = typescript()
  for (let child = node, { parent } = node; parent; child = parent, parent = parent.parent) {
    if (ts.isBinaryExpression(parent))
      return parent.left === child && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken
    if (ts.isForOfStatement(parent) || ts.isForInStatement(parent)) return parent.initializer === child
    if (ts.isStatement(parent) || ts.isCallExpression(parent) || isFunction(parent)) return false
  }
  return false
}
