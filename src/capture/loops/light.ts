import type { ts as TypeScript } from 'ts-morph'
import { typescript } from '../analyze/syntax.ts'
import { bare, contains, isFunction, isReference, type Node, type Tree, walk } from './tree.ts'

const objects = new Set(
  'Math Number String Boolean BigInt Array Object Map Set Date Error TypeError RangeError Promise NaN Infinity undefined JSON Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array Float32Array Float64Array BigInt64Array BigUint64Array'.split(
    ' ',
  ),
)
const methods = new Set(
  'slice concat join includes indexOf at keys values entries has get map filter reduce some every find findIndex flat sort reverse fill toFixed toString trim split padStart padEnd toUpperCase toLowerCase push add set'.split(
    ' ',
  ),
)

/** Whether code only makes and reads values of the function's own: next to no work, and nothing of the place where it runs. */
export function isLight(root: Node, fn: Node, tree: Tree): boolean {
  const ts = typescript()
  let light = true
  walk(root, (node) => {
    if (!light) return false
    if (ts.isIterationStatement(node, false) || ts.isClassLike(node) || ts.isTryStatement(node)) light = false
    else if (
      ts.isTaggedTemplateExpression(node) ||
      ts.isYieldExpression(node) ||
      ts.isDebuggerStatement(node)
    )
      light = false
    else if (node.kind === ts.SyntaxKind.ThisKeyword || node.kind === ts.SyntaxKind.SuperKeyword)
      light = false
    else if (ts.isMetaProperty(node) || ts.isJsxOpeningLikeElement(node)) light = false
    else if (ts.isCallExpression(node) || ts.isNewExpression(node)) light = isLightCall(node, tree)
    else if (isFunction(node)) light = isCallback(node)
    else if (ts.isIdentifier(node) && isReference(node)) {
      const declaration = tree.declarationOf(node)
      light = declaration ? contains(fn, declaration) && !isFunction(declaration) : objects.has(node.text)
    }
    return light
  })
  return light
}

function isLightCall(node: TypeScript.CallExpression | TypeScript.NewExpression, tree: Tree): boolean {
  const ts = typescript()
  const callee = bare(node.expression)
  const isGlobal = (name: TypeScript.Expression) =>
    ts.isIdentifier(name) && tree.declarationOf(name) === undefined && objects.has(name.text)
  if (ts.isIdentifier(callee)) return isGlobal(callee)
  if (!ts.isPropertyAccessExpression(callee)) return false
  if (callee.getText(tree.source) === 'Math.random' || callee.getText(tree.source) === 'Date.now')
    return false
  return isGlobal(bare(callee.expression)) || methods.has(callee.name.text)
}

/** An arrow that is given to a method, and is called by it. */
function isCallback(node: Node): boolean {
  const ts = typescript()
  if (!ts.isArrowFunction(node) || node.modifiers?.length) return false
  return ts.isCallExpression(node.parent) && node.parent.arguments.includes(node)
}
