import { createRequire } from 'node:module'
import type { ts as TypeScript } from 'ts-morph'

/** Globals by the first Node that has them without a flag. */
const globals: Readonly<Record<string, number>> = {
  structuredClone: 17,
  fetch: 18,
  Headers: 18,
  Request: 18,
  Response: 18,
  FormData: 18,
  Blob: 18,
  BroadcastChannel: 18,
  ReadableStream: 18,
  WritableStream: 18,
  TransformStream: 18,
  CompressionStream: 18,
  DecompressionStream: 18,
  CustomEvent: 19,
  crypto: 19,
  File: 20,
  navigator: 21,
  WebSocket: 22,
  Iterator: 22,
  CloseEvent: 23,
  Float16Array: 24,
  URLPattern: 24,
}

/** `Object.groupBy` and the like. */
const members: Readonly<Record<string, number>> = {
  'Array.fromAsync': 22,
  'AbortSignal.any': 20,
  'AbortSignal.timeout': 18,
  'Error.isError': 24,
  'Map.groupBy': 21,
  'Math.f16round': 24,
  'Object.groupBy': 21,
  'Promise.try': 23,
  'Promise.withResolvers': 22,
  'RegExp.escape': 24,
  'Symbol.asyncDispose': 20,
  'Symbol.dispose': 20,
  'URL.canParse': 20,
  'URL.parse': 22,
  'import.meta.dirname': 20,
  'import.meta.filename': 20,
  'process.getBuiltinModule': 20,
  'process.loadEnvFile': 21,
  'util.parseArgs': 18,
  'util.styleText': 21,
  'fs.glob': 22,
  'os.availableParallelism': 18,
}

/** Methods whose names say enough, whatever the object. */
const methods: Readonly<Record<string, number>> = {
  findLast: 18,
  findLastIndex: 18,
  toReversed: 20,
  toSorted: 20,
  toSpliced: 20,
  isWellFormed: 20,
  toWellFormed: 20,
  transferToFixedLength: 21,
  isSubsetOf: 22,
  isSupersetOf: 22,
  isDisjointFrom: 22,
  symmetricDifference: 22,
}

/** What Node's own modules export, by the first Node. */
const exported: Readonly<Record<string, number>> = {
  'node:util parseArgs': 18,
  'node:util styleText': 21,
  'node:util getCallSites': 22,
  'node:os availableParallelism': 18,
  'node:fs/promises glob': 22,
  'node:fs glob': 22,
  'node:fs openAsBlob': 20,
  'node:module enableCompileCache': 22,
}

/** Modules of Node's own, by the first Node. */
const modules: Readonly<Record<string, number>> = {
  'node:test': 18,
  'node:sqlite': 22,
  'node:sea': 20,
}

export interface Use {
  readonly what: string
  /** The first Node that has it. */
  readonly since: number
  readonly offset: number
}

/**
 * What a piece of TypeScript uses that a Node of major version `target` does not have. Goes by names: a method of
 * the user's own that is called toSorted is told too. Looks inside functions; what is guarded by typeof is left out.
 */
export function newerApis(name: string, text: string, target: number): Use[] {
  const { ts } = createRequire(import.meta.url)('ts-morph') as { ts: typeof TypeScript }
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true)
  const declared = new Set<string>()
  const guarded = new Set<string>()
  const found: Use[] = []
  const note = (what: string, since: number | undefined, node: TypeScript.Node) => {
    if (since !== undefined && since > target) found.push({ what, since, offset: node.getStart(source) })
  }
  const visit = (node: TypeScript.Node): void => {
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return
    if (ts.isTypeOfExpression(node) && ts.isIdentifier(node.expression)) {
      guarded.add(node.expression.text)
      return
    }
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const from = node.moduleSpecifier.text
      const module = from.startsWith('node:') ? from : `node:${from}`
      note(`the module ${from}`, Object.hasOwn(modules, module) ? modules[module] : undefined, node)
      const bindings = node.importClause?.namedBindings
      if (bindings && ts.isNamedImports(bindings))
        for (const element of bindings.elements) {
          declared.add(element.name.text)
          const imported = (element.propertyName ?? element.name).text
          const key = `${module} ${imported}`
          note(`${imported} of ${from}`, Object.hasOwn(exported, key) ? exported[key] : undefined, element)
        }
      return
    }
    if (ts.isIdentifier(node)) {
      if (isDeclarationName(ts, node)) declared.add(node.text)
      else if (isReference(ts, node)) note(node.text, own(globals, node.text), node)
      return
    }
    if (ts.isPropertyAccessExpression(node)) {
      const path = node.getText(source).replace(/\s/g, '')
      const member = own(members, path)
      const called = ts.isCallExpression(node.parent) && node.parent.expression === node
      if (member !== undefined) note(path, member, node)
      else if (called && !node.questionDotToken && !node.parent.questionDotToken)
        note(`.${node.name.text}()`, own(methods, node.name.text), node.name)
    }
    if (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.Using) === ts.NodeFlags.Using)
      note('`using` of what Node itself gives', 20, node)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
    .filter(({ what }) => !declared.has(what) && !guarded.has(what))
    .sort((a, b) => a.offset - b.offset)
}

const own = (table: Readonly<Record<string, number>>, key: string) =>
  Object.hasOwn(table, key) ? table[key] : undefined

function isDeclarationName(ts: typeof TypeScript, node: TypeScript.Identifier): boolean {
  const { parent } = node
  return (
    (ts.isVariableDeclaration(parent) ||
      ts.isFunctionDeclaration(parent) ||
      ts.isClassDeclaration(parent) ||
      ts.isParameter(parent) ||
      ts.isBindingElement(parent) ||
      ts.isImportClause(parent) ||
      ts.isNamespaceImport(parent)) &&
    parent.name === node
  )
}

function isReference(ts: typeof TypeScript, node: TypeScript.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent) && parent.name === node)
    return ts.isIdentifier(parent.expression) && parent.expression.text === 'globalThis'
  if (ts.isBindingElement(parent) && parent.propertyName === node) return false
  return !(
    (ts.isPropertyAssignment(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isGetAccessor(parent) ||
      ts.isSetAccessor(parent) ||
      ts.isEnumMember(parent) ||
      ts.isFunctionExpression(parent) ||
      ts.isClassExpression(parent) ||
      ts.isExportSpecifier(parent)) &&
    parent.name === node
  )
}
