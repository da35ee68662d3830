import type { ts as TypeScript } from 'ts-morph'
import type {
  Capture,
  Declaration,
  ExportBinding,
  FileAnalysis,
  FunctionNode,
  ImportBinding,
  Range,
} from './analysis.ts'
import { isStandardGlobal } from './globals.ts'
import { syntaxOf, typescript } from './syntax.ts'
import { usageOf } from './usage.ts'

interface Use {
  name: string
  at: number
  /** Innermost function around it. */
  fn: number
  /** Position of the declaration, for what is neither module-level nor imported. */
  local: number | undefined
  localFn: number | undefined
  literal?: string
  /** The outermost function or loop between the variable and this use. */
  around?: Range
  write: boolean
  mutates: boolean
  /** Runs while the enclosing class or statement is evaluated. */
  early: boolean
}

/**
 * Reads one file, without its imports and without lib files: 3 ms where a project takes seconds.
 *
 * @param isOwn whether a module specifier means farcall itself
 */
export function analyze(file: string, text: string, isOwn: (specifier: string) => boolean): FileAnalysis {
  const ts = typescript()
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const program = ts.createProgram(
    [file],
    { noLib: true, noResolve: true, types: [], allowJs: true, target: ts.ScriptTarget.Latest },
    {
      getSourceFile: (name) => (name === file ? source : undefined),
      getDefaultLibFileName: () => '',
      writeFile: () => {},
      getCurrentDirectory: () => '/',
      getCanonicalFileName: (name) => name,
      useCaseSensitiveFileNames: () => true,
      getNewLine: () => '\n',
      fileExists: (name) => name === file,
      readFile: () => undefined,
    },
  )
  const checker = program.getTypeChecker()
  const {
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
  } = syntaxOf(source)
  const { isWrite, isMutation, isReference } = usageOf(source)
  const imports: ImportBinding[] = []
  const effects: string[] = []
  const exports: ExportBinding[] = []
  const stars: string[] = []
  const declarations: Declaration[] = []
  const functions: FunctionNode[] = []
  const functionOf = new Map<TypeScript.Node, number>()
  const calls: FileAnalysis['calls'] = []
  const pendingCalls: { call: number; args: TypeScript.Node[] }[] = []
  const uses: Use[] = []
  const assigned = new Map<number, Set<number>>()
  const globals = new Set<string>()
  const metas: number[] = []
  const assets: FileAnalysis['assets'] = []
  const reached = new Set<string>()
  let commonjs = false
  let early = false

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

  const addFunction = (node: TypeScript.Node, parent: number): number => {
    const index = functions.length
    functionOf.set(node, index)
    const isClass = ts.isClassLike(node)
    const signature = node as TypeScript.SignatureDeclaration
    const parameters = isClass ? [] : signature.parameters.filter((p) => p.name.getText(source) !== 'this')
    const counted = parameters.findIndex((p) => p.initializer !== undefined || p.dotDotDotToken !== undefined)
    const entry: FunctionNode = {
      kind: isClass
        ? 'class'
        : ts.isArrowFunction(node)
          ? 'arrow'
          : ts.isMethodDeclaration(node)
            ? 'method'
            : ts.isGetAccessor(node)
              ? 'getter'
              : ts.isSetAccessor(node)
                ? 'setter'
                : ts.isConstructorDeclaration(node)
                  ? 'constructor'
                  : 'function',
      name: nameOf(node),
      start: startOf(node),
      end: node.end,
      at: isClass ? startOf(node) : paramsAt(signature),
      async: has(node, ts.SyntaxKind.AsyncKeyword),
      generator: (node as { asteriskToken?: unknown }).asteriskToken !== undefined,
      length: counted < 0 ? parameters.length : counted,
      parent,
      captures: [],
      uses: [],
      blank: ts.isSourceFile(node.parent) ? exportModifiers(node) : [],
    }
    if (!isClass && ts.isClassLike(node.parent)) {
      entry.owner = functionOf.get(node.parent)!
      entry.isStatic = has(node, ts.SyntaxKind.StaticKeyword)
      entry.isPrivate = ts.isPrivateIdentifier((node as TypeScript.MethodDeclaration).name ?? node)
    }
    if (isClass) {
      const members = node.members
      const privates = members.filter((m) => m.name !== undefined && ts.isPrivateIdentifier(m.name))
      entry.privates = privates.length > 0
      entry.privateNames = privates
        .filter((m) => ts.isPropertyDeclaration(m) && !has(m, ts.SyntaxKind.StaticKeyword))
        .map((m) => (m.name as TypeScript.PrivateIdentifier).text)
      entry.staticPrivateNames = privates
        .filter((m) => ts.isPropertyDeclaration(m) && has(m, ts.SyntaxKind.StaticKeyword))
        .map((m) => (m.name as TypeScript.PrivateIdentifier).text)
      const open = node.getChildren(source).find((c) => c.kind === ts.SyntaxKind.OpenBraceToken)
      entry.classBody = open?.end ?? node.end
      const made = members.find((m) => ts.isConstructorDeclaration(m) && m.body !== undefined)
      if (made) {
        const body = (made as TypeScript.ConstructorDeclaration).body as TypeScript.Block
        entry.constructorBody = startOf(body) + 1
        entry.at = paramsAt(made as TypeScript.ConstructorDeclaration)
      }
      const base = node.heritageClauses?.find((c) => c.token === ts.SyntaxKind.ExtendsKeyword)?.types[0]
      if (base) entry.heritage = ts.isIdentifier(base.expression) ? base.expression.text : true
      entry.blank.push(...ownDecorators(node))
      for (const member of members) entry.blank.push(...ownDecorators(member))
    }
    if (entry.name === '') {
      const label = labelOf(node)
      if (label !== '') entry.label = label
    }
    functions.push(entry)
    return index
  }

  /** The lexical this, super, new.target or arguments that the arrows around `node` close over. */
  const markLexical = (node: TypeScript.Node, what: NonNullable<FunctionNode['lexical']>['what']) => {
    for (let n = node.parent; n !== undefined && !ts.isSourceFile(n); n = n.parent) {
      if (ts.isArrowFunction(n)) {
        const entry = functions[functionOf.get(n)!]
        if (entry && !entry.lexical) entry.lexical = { what, at: startOf(node) }
        continue
      }
      if (what === 'super' && ts.isMethodDeclaration(n)) {
        const entry = functions[functionOf.get(n)!]
        if (entry && !entry.lexical) entry.lexical = { what, at: startOf(node) }
      }
      if (isFunctionNode(n) || ts.isPropertyDeclaration(n) || ts.isClassStaticBlockDeclaration(n)) return
    }
  }

  const visitIdentifier = (node: TypeScript.Identifier, fn: number) => {
    if (!isReference(node)) return
    if (node.text === 'exports' || node.text === 'module')
      commonjs ||= /^(exports\.|module\.exports)/.test(text.slice(startOf(node), startOf(node) + 14))
    const symbol = symbolOf(node)
    const declaration = symbol?.valueDeclaration ?? symbol?.declarations?.[0]
    if (declaration === undefined || declaration.getSourceFile() !== source) {
      if (node.text === 'arguments') markLexical(node, 'arguments')
      else if (node.text !== 'undefined') {
        globals.add(node.text)
        addNeed(node.text, node, fn)
      }
      return
    }
    if (ts.isInterfaceDeclaration(declaration) || ts.isTypeAliasDeclaration(declaration)) return
    const isImport = importOf(declaration) !== undefined
    const module = isImport || isTopLevel(declaration)
    const write = isWrite(node)
    const at = startOf(node)
    const position = startOf(declaration)
    if (write) {
      const writers = assigned.get(position) ?? new Set()
      assigned.set(position, writers.add(fn))
    }
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
    if (!module) pendingLocal.push({ use: uses.length - 1, declaration, node })
  }
  /** What the text needs beside names. */
  const addNeed = (name: string, node: TypeScript.Node, fn: number) =>
    uses.push({
      name,
      at: startOf(node),
      fn,
      local: undefined,
      localFn: undefined,
      write: false,
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
    const around = made.parent
    const worker =
      ts.isNewExpression(around) &&
      around.arguments?.[0] === made &&
      /(^|\.)Worker$/.test(around.expression.getText(source)) &&
      /\.[mc]?[jt]s$/.test(from.text)
    addNeed(`asset:${assets.length}`, node, fn)
    assets.push({ at: startOf(node), from: from.text, literal: [startOf(from), from.end], worker })
  }

  const visitModuleCall = (node: TypeScript.CallExpression, fn: number) => {
    const { expression: callee } = node
    const isImport = callee.kind === ts.SyntaxKind.ImportKeyword
    if (!isImport && !ts.isIdentifier(callee)) return
    const name = isImport ? 'import' : (callee as TypeScript.Identifier).text
    if (name !== 'import' && name !== 'require' && name !== 'eval') return
    if (!isImport && symbolOf(callee as TypeScript.Identifier) !== undefined) return
    const [first] = node.arguments
    if (name === 'eval') addNeed(`refuse:${startOf(node)}:eval`, node, fn)
    else if (first && ts.isStringLiteralLike(first)) {
      reached.add(first.text)
      addNeed(`import:${first.text}`, node, fn)
    }
  }
  const pendingLocal: { use: number; declaration: TypeScript.Declaration; node: TypeScript.Node }[] = []

  const visit = (node: TypeScript.Node, fn: number): void => {
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return
    if (ts.isHeritageClause(node) && node.token === ts.SyntaxKind.ImplementsKeyword) return
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return
    if (has(node, ts.SyntaxKind.DeclareKeyword)) return
    if (ts.isTypeParameterDeclaration(node)) return
    if (ts.isDecorator(node) && isOwnExpression(node.expression)) {
      // not shipped: what it needs is not needed; but it is where a method is found
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

  for (const statement of source.statements) readStatement(statement)

  function readStatement(statement: TypeScript.Statement): void {
    if (ts.isImportDeclaration(statement) && ts.isStringLiteral(statement.moduleSpecifier)) {
      const from = statement.moduleSpecifier.text
      const clause = statement.importClause
      if (!clause?.isTypeOnly) reached.add(from)
      if (!clause) effects.push(from)
      if (!clause || clause.isTypeOnly) return
      const type = statement.attributes?.elements.find((a) => a.name.text === 'type')?.value
      const shared = {
        from,
        ...(type && ts.isStringLiteral(type) ? { type: type.text } : {}),
        ...(isOwn(from) ? { own: true } : {}),
      }
      if (clause.name) imports.push({ local: clause.name.text, name: 'default', ...shared })
      const named = clause.namedBindings
      if (named && ts.isNamespaceImport(named)) imports.push({ local: named.name.text, name: '*', ...shared })
      if (named && ts.isNamedImports(named))
        for (const e of named.elements)
          if (!e.isTypeOnly)
            imports.push({ local: e.name.text, name: (e.propertyName ?? e.name).text, ...shared })
      return
    }
    if (ts.isExportDeclaration(statement)) {
      if (statement.isTypeOnly) return
      const specifier = statement.moduleSpecifier
      const from = specifier && ts.isStringLiteral(specifier) ? specifier.text : undefined
      if (from !== undefined) reached.add(from)
      const clause = statement.exportClause
      if (!clause) {
        if (from !== undefined) stars.push(from)
      } else if (ts.isNamespaceExport(clause)) {
        exports.push({ name: clause.name.text, local: '*', ...(from === undefined ? {} : { from }) })
      } else
        for (const e of clause.elements)
          exports.push({
            name: e.name.text,
            local: (e.propertyName ?? e.name).text,
            ...(from === undefined ? {} : { from }),
          })
      return
    }
    const before = uses.length
    const base = {
      start: startOf(statement),
      end: statement.end,
      uses: [],
      evalUses: [],
      literal: false,
      still: true,
      reassigned: false,
      mutated: false,
    }
    const exported = has(statement, ts.SyntaxKind.ExportKeyword)
    const isDefault = has(statement, ts.SyntaxKind.DefaultKeyword)
    if (has(statement, ts.SyntaxKind.DeclareKeyword)) return
    if (ts.isVariableStatement(statement)) {
      const list = statement.declarationList
      const keyword: Range = [startOf(list), startOf(list) + text.slice(startOf(list)).search(/\s/)]
      for (const d of list.declarations) {
        const from = uses.length
        visit(d, -1)
        const names = bindingNames(d.name)
        const initializer = d.initializer && unwrap(d.initializer)
        const fn = initializer ? functionOf.get(initializer) : undefined
        declarations.push({
          ...base,
          kind: 'variable',
          names,
          start: startOf(d),
          end: d.end,
          statement: { start: startOf(statement), end: statement.end, keyword },
          blank: [],
          uses: namesUsed(from, () => true),
          evalUses: namesUsed(from, (u) => fn === undefined || (u.fn === fn && u.early)),
          still: d.initializer === undefined || isStill(d.initializer),
          literal: ts.isIdentifier(d.name) && isLiteral(d.initializer),
          ...(d.type ? { type: [d.name.end, d.type.end] satisfies Range } : {}),
          ...(fn === undefined || !ts.isIdentifier(d.name) ? {} : { fn }),
        })
        if (fn !== undefined && ts.isIdentifier(d.name)) functions[fn]!.declared = d.name.text
        if (exported) for (const name of names) exports.push({ name, local: name })
      }
      return
    }
    visit(statement, -1)
    if (ts.isImportEqualsDeclaration(statement) && ts.isExternalModuleReference(statement.moduleReference)) {
      const { expression } = statement.moduleReference
      if (ts.isStringLiteralLike(expression)) {
        reached.add(expression.text)
        addNeed(`import:${expression.text}`, statement, -1)
      }
    }
    const fn = functionOf.get(statement)
    if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
      const name = statement.name?.text
      if (name === undefined) {
        const modifiers = exportModifiers(statement)
        addDefault(statement, (modifiers.at(-1)?.[1] ?? startOf(statement)) + 1, before, fn)
        return
      }
      if (exported) exports.push({ name: isDefault ? 'default' : name, local: name })
      if (fn !== undefined) functions[fn]!.declared = name
      declarations.push({
        ...base,
        kind: ts.isClassDeclaration(statement) ? 'class' : 'function',
        names: [name],
        blank: [...(fn === undefined ? exportModifiers(statement) : functions[fn]!.blank)],
        uses: namesUsed(before, (u) => u.name !== name),
        evalUses: ts.isClassDeclaration(statement)
          ? namesUsed(before, (u) => u.early && u.name !== name && u.name !== functions[fn!]?.heritage)
          : [],
        ...(fn === undefined ? {} : { fn }),
      })
      return
    }
    if (ts.isEnumDeclaration(statement) || ts.isModuleDeclaration(statement)) {
      const name = statement.name.getText(source)
      if (exported) exports.push({ name, local: name })
      declarations.push({
        ...base,
        kind: ts.isEnumDeclaration(statement) ? 'enum' : 'namespace',
        names: [name],
        blank: exportModifiers(statement),
        uses: namesUsed(before, (u) => u.name !== name),
        evalUses: namesUsed(before, (u) => u.name !== name),
      })
      return
    }
    if (ts.isImportEqualsDeclaration(statement)) {
      declarations.push({
        ...base,
        kind: 'import-equals',
        names: [statement.name.text],
        blank: exportModifiers(statement),
        uses: namesUsed(before, () => true),
      })
      return
    }
    if (ts.isExportAssignment(statement)) {
      const value = unwrap(statement.expression)
      if (ts.isIdentifier(value)) exports.push({ name: 'default', local: value.text })
      else if (!statement.isExportEquals)
        addDefault(statement, startOf(statement.expression), before, functionOf.get(value), value)
    }
  }

  /** `export default …` without a name. */
  function addDefault(
    statement: TypeScript.Statement,
    start: number,
    before: number,
    fn: number | undefined,
    value?: TypeScript.Expression,
  ): void {
    exports.push({ name: 'default', local: '$default' })
    if (fn !== undefined) functions[fn]!.declared = '$default'
    declarations.push({
      kind: 'variable',
      names: ['$default'],
      isDefault: true,
      start,
      end: value ? (statement as TypeScript.ExportAssignment).expression.end : statement.end,
      statement: {
        start: startOf(statement),
        end: statement.end,
        keyword: [startOf(statement), startOf(statement) + 'export default'.length],
      },
      blank: [],
      uses: namesUsed(before, () => true),
      evalUses: namesUsed(before, (u) => fn === undefined || (u.fn === fn && u.early)),
      literal: value !== undefined && isLiteral(value),
      still: value !== undefined && isStill(value),
      reassigned: false,
      mutated: false,
      ...(fn === undefined ? {} : { fn }),
    })
  }

  function namesUsed(from: number, filter: (use: Use) => boolean): string[] {
    const names = new Set<string>()
    for (const use of uses.slice(from)) if (use.local === undefined && filter(use)) names.add(use.name)
    return [...names]
  }

  /** The outermost function or loop around a use that the variable stands outside of: it may run many times. */
  function repeatedAround(node: TypeScript.Node, declaration: TypeScript.Node): Range | undefined {
    let found: Range | undefined
    for (let n = node.parent; n !== undefined && !ts.isSourceFile(n); n = n.parent) {
      if (n.pos <= declaration.pos && declaration.end <= n.end) break
      if (ts.isFunctionLike(n) || ts.isIterationStatement(n, false)) found = [startOf(n), n.end]
    }
    return found
  }

  // assignments and functions are known only now
  for (const { use, declaration, node } of pendingLocal) {
    let fn = functionOf.get(declaration)
    if (ts.isVariableDeclaration(declaration) && declaration.initializer)
      fn = functionOf.get(unwrap(declaration.initializer))
    const around = assigned.has(startOf(declaration)) ? repeatedAround(node, declaration) : undefined
    if (around) uses[use]!.around = around
    if (assigned.has(startOf(declaration))) continue
    if (fn !== undefined) uses[use]!.localFn = fn
    if (
      ts.isVariableDeclaration(declaration) &&
      ts.isIdentifier(declaration.name) &&
      isLiteral(declaration.initializer)
    )
      uses[use]!.literal = declaration.initializer!.getText(source)
  }
  for (const d of declarations)
    if (d.kind === 'variable' || d.kind === 'function') {
      const own = uses.filter((u) => u.local === undefined && d.names.includes(u.name))
      d.reassigned = own.some((u) => u.write)
      d.mutated = own.some((u) => u.mutates)
    }
  const withoutStandard = (names: string[]) => names.filter((n) => !globals.has(n) || !isStandardGlobal(n))
  for (const d of declarations) {
    d.uses = withoutStandard(d.uses)
    d.evalUses = withoutStandard(d.evalUses)
  }
  for (const use of uses) {
    if (use.local === undefined && globals.has(use.name) && isStandardGlobal(use.name)) continue
    for (let f = use.fn; f >= 0; f = functions[f]!.parent) {
      const fn = functions[f]!
      if (use.local !== undefined) {
        if (use.local >= fn.start && use.local < fn.end) break
        let capture = fn.captures.find((c) => c.declaration === use.local)
        if (!capture) {
          capture = { name: use.name, declaration: use.local, at: use.at } satisfies Capture
          if (use.localFn !== undefined) capture.fn = use.localFn
          fn.captures.push(capture)
        }
        if (use.literal !== undefined) capture.literal = use.literal
        if (use.write && capture.writes === undefined) capture.writes = use.at
        if (use.early && use.fn === f) capture.early = true
        if (use.around !== undefined && fn.start > use.around[0] && fn.end <= use.around[1])
          capture.shareable = true
      } else if (!fn.uses.includes(use.name)) fn.uses.push(use.name)
    }
  }
  function positionsOf(): Record<string, number[]> {
    const positions = new Map<string, number[]>()
    for (const d of declarations)
      for (const name of d.names) {
        if (d.isDefault) continue
        const at =
          d.start +
          text.slice(d.start, d.end).search(new RegExp(`(?<![\\w$])${name.replace(/\$/g, '\\$')}(?![\\w$])`))
        positions.set(name, [at])
      }
    for (const use of uses) {
      if (use.local !== undefined || use.name.includes(':')) continue
      const known = positions.get(use.name) ?? []
      // a few are enough: each one leads to the same name
      if (known.length < 8) positions.set(use.name, [...known, use.at])
    }
    return Object.fromEntries(positions)
  }
  for (const { call, args } of pendingCalls)
    for (const arg of args) {
      let fn = functionOf.get(arg)
      if (fn === undefined && ts.isIdentifier(arg)) {
        const declaration = symbolOf(arg)?.valueDeclaration
        if (declaration) {
          fn = functionOf.get(declaration)
          if (ts.isVariableDeclaration(declaration) && declaration.initializer)
            fn = functionOf.get(unwrap(declaration.initializer))
          if (assigned.has(startOf(declaration))) fn = undefined
        }
      }
      if (fn !== undefined) calls[call]!.functions.push(fn)
    }
  return {
    imports,
    effects,
    exports,
    stars,
    declarations,
    positions: positionsOf(),
    metas,
    assets,
    reaches: [...reached],
    globals: [...globals].filter((name) => !isStandardGlobal(name)),
    functions,
    calls: calls.filter((c) => c.functions.length > 0),
    commonjs: commonjs && imports.length === 0 && exports.length === 0,
  }
}
