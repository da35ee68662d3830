import type { ts as TypeScript } from 'ts-morph'
import { functionsOf } from './functions.ts'
import type { Reading } from './reading.ts'
import { symbolsOf } from './symbols.ts'
import { typescript } from './syntax.ts'
import { isLocalMap } from './threads.ts'
import { usageOf } from './usage.ts'

/** Walks the text: notes each name that is used, by which function, and how. */
export function usesOf(reading: Reading) {
  const ts = typescript()
  const {
    source,
    text,
    calls,
    pendingCalls,
    uses,
    assigned,
    globals,
    metas,
    assets,
    reached,
    localUses,
    evals,
  } = reading
  const { startOf, has, unwrap, isFunctionNode } = reading.syntax
  const { symbolOf, isTopLevel, importOf, isOwnExpression } = symbolsOf(reading)
  const { addFunction, markLexical } = functionsOf(reading)
  const { isWrite, isMutation, isReference } = usageOf(source)
  /** What is visited runs while the class or statement around it is evaluated. */
  let early = false
  /** Where the `with` around what is visited begins. */
  let within: number | undefined

  const visitIdentifier = (node: TypeScript.Identifier, fn: number) => {
    if (!isReference(node)) return
    if (node.text === 'exports' || node.text === 'module')
      reading.commonjs ||= /^(exports\.|module\.exports)/.test(text.slice(startOf(node), startOf(node) + 14))
    const symbol = symbolOf(node)
    const declaration = symbol?.valueDeclaration ?? symbol?.declarations?.[0]
    if (declaration === undefined || declaration.getSourceFile() !== source) {
      if (node.text === 'arguments') markLexical(node, 'arguments')
      else if (node.text !== 'undefined') {
        globals.add(node.text)
        addNeed(node.text, node, fn, isWrite(node))
      }
      return
    }
    if (ts.isInterfaceDeclaration(declaration) || ts.isTypeAliasDeclaration(declaration)) return
    const isImport = importOf(declaration) !== undefined
    const module = isImport || isTopLevel(declaration)
    const write = isWrite(node)
    const at = startOf(node)
    const position = startOf(declaration)
    if (write) assigned.add(position)
    uses.push({
      name: node.text,
      at,
      fn,
      local: module ? undefined : position,
      localFn: undefined,
      write,
      mutates: isMutation(node),
      early,
    })
    if (!module) localUses.push({ use: uses.length - 1, declaration, node })
  }
  /** What the text needs beside names. */
  const addNeed = (name: string, node: TypeScript.Node, fn: number, write = false) =>
    uses.push({
      name,
      at: startOf(node),
      fn,
      local: undefined,
      localFn: undefined,
      write,
      mutates: false,
      early,
    })

  const visitImportMeta = (node: TypeScript.MetaProperty, fn: number) => {
    const { parent } = node
    const property = ts.isPropertyAccessExpression(parent) ? parent.name.text : ''
    const known = ['url', 'filename', 'dirname'].includes(property)
    if (!known || text.slice(startOf(node), node.end) !== 'import.meta') {
      addNeed(`refuse:${startOf(node)}:import.meta${property && `.${property}`}`, node, fn)
      return
    }
    const made = parent.parent
    const [from, base] = ts.isNewExpression(made) ? (made.arguments ?? []) : []
    const isAsset =
      property === 'url' &&
      base === parent &&
      from !== undefined &&
      ts.isStringLiteralLike(from) &&
      !/^([a-z][\w+.-]*:|\/|#|\?|\.{0,2}\/?$)/i.test(from.text) &&
      (made as TypeScript.NewExpression).expression.getText(source) === 'URL'
    if (!isAsset) {
      metas.push(startOf(node))
      globals.add('$importMeta')
      addNeed('$importMeta', node, fn)
      return
    }
    const worker = /\.[mc]?[jt]sx?$/.test(from.text) && isGivenToWorker(made)
    addNeed(`asset:${assets.length}`, node, fn)
    assets.push({ at: startOf(node), from: from.text, literal: [startOf(from), from.end], worker })
  }

  const isWorker = (node: TypeScript.Node): node is TypeScript.NewExpression =>
    ts.isNewExpression(node) && /(^|\.)Worker$/.test(node.expression.getText(source))

  /** Directly, or by the variable that it is kept in. */
  const isGivenToWorker = (url: TypeScript.Node): boolean => {
    const { parent } = url
    if (isWorker(parent)) return parent.arguments?.[0] === url
    if (!ts.isVariableDeclaration(parent) || !ts.isIdentifier(parent.name)) return false
    const kept = symbolOf(parent.name)
    const search = (node: TypeScript.Node): boolean => {
      const given = isWorker(node) ? node.arguments?.[0] : undefined
      if (given && ts.isIdentifier(given) && symbolOf(given) === kept) return true
      return ts.forEachChild(node, (child) => search(child) || undefined) ?? false
    }
    return search(source)
  }

  const visitModuleCall = (node: TypeScript.CallExpression, fn: number) => {
    const { expression: callee } = node
    const isImport = callee.kind === ts.SyntaxKind.ImportKeyword
    if (!isImport && !ts.isIdentifier(callee)) return
    const name = isImport ? 'import' : (callee as TypeScript.Identifier).text
    if (name !== 'import' && name !== 'require' && name !== 'eval') return
    if (!isImport && symbolOf(callee as TypeScript.Identifier) !== undefined) return
    const [first] = node.arguments
    if (name === 'eval') {
      addNeed(`refuse:${startOf(node)}:eval`, node, fn)
      evals.push({ fn, at: startOf(node) })
    } else if (first && ts.isStringLiteralLike(first)) {
      reached.add(first.text)
      addNeed(`import:${first.text}`, node, fn)
    }
  }

  const visit = (node: TypeScript.Node, fn: number): void => {
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return
    if (ts.isHeritageClause(node) && node.token === ts.SyntaxKind.ImplementsKeyword) return
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return
    if (ts.isDecorator(node) || ts.isComputedPropertyName(node)) {
      // not shipped: what a decorator of ours needs is not needed; but it is where a method is found
      if (ts.isDecorator(node) && isOwnExpression(node.expression)) return
      const wasEarly = early
      early = ts.findAncestor(node, isFunctionNode) !== undefined
      ts.forEachChild(node, (child) => visit(child, fn))
      early = wasEarly
      return
    }
    if (has(node, ts.SyntaxKind.DeclareKeyword)) {
      // a property that is only declared may be decorated all the same
      if (ts.canHaveDecorators(node)) for (const one of ts.getDecorators(node) ?? []) visit(one, fn)
      return
    }
    if (ts.isTypeParameterDeclaration(node)) return
    if (ts.isWithStatement(node)) {
      // which names are the object's is known only when it runs, and a bundle has no `with`
      const wasWithin = within
      within = startOf(node)
      addNeed(`refuse:${within}:with`, node, fn)
      ts.forEachChild(node, (child) => visit(child, fn))
      within = wasWithin
      return
    }
    if (ts.isIdentifier(node)) {
      visitIdentifier(node, fn)
      return
    }
    if (node.kind === ts.SyntaxKind.ThisKeyword) {
      markLexical(node, 'this')
      return
    }
    if (node.kind === ts.SyntaxKind.SuperKeyword) {
      markLexical(node, 'super')
      return
    }
    if (ts.isMetaProperty(node)) {
      if (node.keywordToken === ts.SyntaxKind.NewKeyword) markLexical(node, 'new.target')
      else visitImportMeta(node, fn)
      return
    }
    if (ts.isCallExpression(node)) visitModuleCall(node, fn)
    if (ts.isCallExpression(node) && isLocalMap(reading, node)) reading.pendingThreads.push(node)
    if (ts.isCallExpression(node)) {
      const callee = node.expression
      calls.push({
        start: startOf(node),
        name: ts.isPropertyAccessExpression(callee) ? startOf(callee.name) : startOf(callee),
        end: node.end,
        functions: [],
      })
      pendingCalls.push({ call: calls.length - 1, args: node.arguments.map((a) => unwrap(a)) })
    }
    if (isFunctionNode(node)) {
      const bodiless = !ts.isClassLike(node) && (node as TypeScript.FunctionDeclaration).body === undefined
      if (bodiless) return
      const index = addFunction(node, fn)
      if (within !== undefined) addNeed(`refuse:${within}:with`, node, index)
      const wasEarly = early
      // a decorator and a computed name run in the scope around
      early = ts.isClassLike(node)
      ts.forEachChild(node, (child) => visit(child, index))
      early = wasEarly
      return
    }
    if (ts.isPropertyDeclaration(node) && !has(node, ts.SyntaxKind.StaticKeyword)) {
      const wasEarly = early
      early = false
      ts.forEachChild(node, (child) => visit(child, fn))
      early = wasEarly
      return
    }
    ts.forEachChild(node, (child) => visit(child, fn))
  }

  return { visit, addNeed }
}
