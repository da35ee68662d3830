import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { ts as TypeScript } from 'ts-morph'
import type { Range } from '../analysis.ts'

type TS = typeof TypeScript
let loaded: TS | undefined

/** import() of it takes twice as long: its 9 MB of CommonJS are searched for export names first. */
export function typescript(): TS {
  loaded ??= loadCompiler()
  return loaded
}

/** What the syntax of one file says by itself. */
export function syntaxOf(source: TypeScript.SourceFile) {
  const ts = typescript()
  const startOf = (node: TypeScript.Node) => node.getStart(source)
  const has = (node: TypeScript.Node, kind: TypeScript.SyntaxKind) =>
    ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((m) => m.kind === kind) ?? false)

  const exportModifiers = (node: TypeScript.Node): Range[] =>
    ts.canHaveModifiers(node)
      ? (ts.getModifiers(node) ?? [])
          .filter((m) => m.kind === ts.SyntaxKind.ExportKeyword || m.kind === ts.SyntaxKind.DefaultKeyword)
          .map((m): Range => [startOf(m), m.end])
      : []

  const bindingNames = (name: TypeScript.BindingName): string[] =>
    ts.isIdentifier(name)
      ? [name.text]
      : name.elements.flatMap((e) => (ts.isOmittedExpression(e) ? [] : bindingNames(e.name)))

  const isLiteral = (node: TypeScript.Expression | undefined): boolean => {
    if (node === undefined) return false
    if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isSatisfiesExpression(node))
      return isLiteral(node.expression)
    if (ts.isPrefixUnaryExpression(node)) return isLiteral(node.operand)
    if (ts.isBinaryExpression(node))
      return (
        node.operatorToken.kind !== ts.SyntaxKind.CommaToken && isLiteral(node.left) && isLiteral(node.right)
      )
    return (
      ts.isNumericLiteral(node) ||
      ts.isBigIntLiteral(node) ||
      ts.isStringLiteral(node) ||
      ts.isNoSubstitutionTemplateLiteral(node) ||
      node.kind === ts.SyntaxKind.TrueKeyword ||
      node.kind === ts.SyntaxKind.FalseKeyword ||
      node.kind === ts.SyntaxKind.NullKeyword
    )
  }

  const isStill = (node: TypeScript.Node): boolean =>
    isFunctionNode(node) ||
    (!ts.isCallExpression(node) &&
      !ts.isNewExpression(node) &&
      !ts.isTaggedTemplateExpression(node) &&
      !ts.isAwaitExpression(node) &&
      ts.forEachChild(node, (child) => !isStill(child)) !== true)

  const unwrap = (node: TypeScript.Expression): TypeScript.Expression => {
    let n = node
    while (ts.isParenthesizedExpression(n) || ts.isAsExpression(n) || ts.isSatisfiesExpression(n))
      n = n.expression
    return n
  }

  const nameOf = (node: TypeScript.Node): string => {
    const own = isFunctionNode(node) ? (node as { name?: TypeScript.Node }).name : undefined
    if (own) return ts.isComputedPropertyName(own) ? '' : own.getText(source).replace(/^['"]|['"]$/g, '')
    let parent = node.parent
    while (ts.isParenthesizedExpression(parent) || ts.isAsExpression(parent)) parent = parent.parent
    if (
      (ts.isVariableDeclaration(parent) ||
        ts.isPropertyAssignment(parent) ||
        ts.isPropertyDeclaration(parent)) &&
      (ts.isIdentifier(parent.name) || ts.isPrivateIdentifier(parent.name) || ts.isStringLiteral(parent.name))
    )
      return parent.name.text
    if (ts.isBinaryExpression(parent) && ts.isIdentifier(parent.left)) return parent.left.text
    if (ts.isExportAssignment(parent)) return 'default'
    if (has(node, ts.SyntaxKind.DefaultKeyword)) return 'default'
    return ''
  }

  /** `const run = cluster(() => …)`: the function has no name, what is made of it has one. */
  const labelOf = (node: TypeScript.Node): string => {
    let at = node
    for (;;) {
      const { parent } = at
      const through =
        ts.isParenthesizedExpression(parent) ||
        ts.isAsExpression(parent) ||
        ts.isSatisfiesExpression(parent) ||
        ts.isNonNullExpression(parent) ||
        ts.isAwaitExpression(parent) ||
        (ts.isPropertyAccessExpression(parent) && ts.isCallExpression(parent.parent)) ||
        ts.isCallExpression(parent)
      if (!through) break
      at = parent
    }
    const { parent } = at
    if (ts.isBinaryExpression(parent) && ts.isPropertyAccessExpression(parent.left))
      return parent.right === at ? parent.left.name.text : ''
    return at === node ? '' : nameOf(at)
  }

  const isFunctionNode = (node: TypeScript.Node): boolean =>
    ts.isArrowFunction(node) ||
    ts.isFunctionExpression(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isGetAccessor(node) ||
    ts.isSetAccessor(node) ||
    ts.isConstructorDeclaration(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isClassLike(node)

  const paramsAt = (node: TypeScript.SignatureDeclaration): number => {
    const open = node.getChildren(source).find((c) => c.kind === ts.SyntaxKind.OpenParenToken)
    const start = startOf(open ?? node.parameters[0] ?? node)
    // V8 counts `async` in for an arrow
    return ts.isArrowFunction(node) && node.modifiers?.length ? startOf(node) : start
  }

  return {
    startOf,
    has,
    exportModifiers,
    bindingNames,
    isLiteral,
    isStill,
    unwrap,
    nameOf,
    labelOf,
    isFunctionNode,
    paramsAt,
  }
}

/**
 * ts-morph's TypeScript, without ts-morph around it: a third of the time to load, which a first call waits for.
 * The file is ts-morph's own affair; where a later version lays it elsewhere, the front door serves.
 */
function loadCompiler(): TS {
  const require = createRequire(import.meta.url)
  const inside = createRequire(require.resolve('ts-morph'))
  const alone = join(dirname(inside.resolve('@ts-morph/common')), 'typescript.js')
  return existsSync(alone) ? (require(alone) as TS) : (require('ts-morph') as { ts: TS }).ts
}
