import type { ts as TypeScript } from 'ts-morph'
import type { Range } from '../analysis.ts'
import type { Reading, Use } from './reading.ts'
import { typescript } from './syntax.ts'
import { usesOf } from './uses.ts'

/** Reads the module level: what is imported, exported and declared there. */
export function readStatements(reading: Reading): void {
  const ts = typescript()
  const {
    source,
    text,
    isOwn,
    imports,
    effects,
    exports,
    stars,
    declarations,
    functions,
    functionOf,
    uses,
    reached,
  } = reading
  const { startOf, has, exportModifiers, bindingNames, isLiteral, isStill, unwrap } = reading.syntax
  const { visit, addNeed } = usesOf(reading)

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
}
