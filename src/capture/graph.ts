import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { CaptureError } from '../core/errors.ts'
import { aliasTargets } from './aliases.ts'
import type { Declaration, FunctionNode, ImportBinding } from './analysis.ts'
import type { Emitted } from './bundle.ts'
import { inspectFunction, type Scope } from './inspect.ts'
import type { Place } from './locate.ts'
import { staticPrivates } from './privates.ts'
import { isBundled, runningName } from './renamed.ts'
import { type Decision, sliceClosure, sliceModule } from './slice.ts'
import { openFile, placeName, resolveFile, type UserFile } from './sources.ts'
import { travelsPlainly } from './values.ts'

/** What one file gives to the bundle. */
export interface Part {
  file: UserFile
  decisions: Map<Declaration, Decision>
  /** Values of module-level variables, as they are now. */
  values: Record<string, unknown>
  /** Global names that are not the language's or Node's. */
  globals: Set<string>
  /** Static fields of its classes, by class. */
  statics: Record<string, Record<string, unknown>>
  /** Their static #private fields. */
  staticPrivates: Record<string, Record<string, unknown>>
  /** Module scopes of functions of this file, where current values are read. */
  scopes: Scope[]
  /** Names that the rest of the bundle needs and that this file imports. */
  imports: Set<string>
  /** All its exports are needed, for `import * as`. */
  namespace: boolean
}

/** The files and functions that a snapshot takes along. Grows while values are walked. */
export class Graph {
  readonly parts = new Map<string, Part>()
  readonly closures = new Map<string, Place>()
  /** Where functions and classes met at run time stand in the source. */
  readonly places: WeakMap<Function, Place>
  readonly cacheDir: string | undefined
  private readonly visited = new Set<string>()
  private readonly contents: (value: object) => readonly unknown[] | undefined

  constructor(
    places: WeakMap<Function, Place>,
    cacheDir: string | undefined,
    contents: (value: object) => readonly unknown[] | undefined,
  ) {
    this.places = places
    this.contents = contents
    this.cacheDir = cacheDir
  }

  part(file: UserFile): Part {
    let part = this.parts.get(file.path)
    if (!part) {
      part = {
        file,
        decisions: new Map(),
        values: {},
        statics: {},
        staticPrivates: {},
        globals: new Set(),
        scopes: [],
        imports: new Set(),
        namespace: false,
      }
      this.parts.set(file.path, part)
    }
    return part
  }

  /** The variables that `fn` sees; its module's are kept for the other functions of the file. */
  moduleScopes(fn: Function, file: UserFile): void {
    if (this.part(file).scopes.every((s) => s.description === 'import')) this.scopesOf(fn, file)
  }

  scopesOf(fn: Function, file: UserFile): Scope[] {
    const { scopes } = inspectFunction(fn)
    const part = this.part(file)
    if (part.scopes.every((s) => s.description === 'import')) part.scopes = scopes
    return scopes
  }

  /** The function's text comes along, with all it names at module level. */
  addClosure(place: Place): string {
    const id = `${place.file.id}#${place.fn}`
    if (!this.closures.has(id)) {
      this.closures.set(id, place)
      this.need(place.file, place.file.analysis.functions[place.fn]!.uses)
    }
    return id
  }

  need(file: UserFile, names: readonly string[]): void {
    for (const name of names) this.needOne(file, name)
  }

  private needOne(file: UserFile, name: string): void {
    const key = `${file.path}\0${name}`
    if (this.visited.has(key)) return
    this.visited.add(key)
    const part = this.part(file)
    const declarations = file.analysis.declarations.filter((d) => d.names.includes(name))
    for (const declaration of declarations) this.addDeclaration(part, declaration)
    for (const declaration of declarations)
      if (part.decisions.get(declaration) === 'value' && !Object.hasOwn(part.values, name))
        throw new CaptureError(
          'CAPTURE_REFUSED',
          `${placeName(file, declaration.start)} the value of '${name}' cannot be read`,
          { hint: 'give it as an argument; bundlers that minify remove variables' },
        )
    if (declarations.length > 0) return
    const binding = file.analysis.imports.find((i) => i.local === name)
    if (binding) this.addImport(part, binding)
    else if (file.analysis.globals.includes(name)) this.addGlobal(part, name)
  }

  /** What a REPL, a notebook or the program itself made global: its value comes along. */
  private addGlobal(part: Part, name: string): void {
    const scopes = part.scopes.filter((s) => s.description !== 'import').reverse()
    const found =
      this.lookup(part, name) ??
      (scopes.length === 0 ? [{ object: globalThis as Record<string, unknown> }] : scopes)
        .filter(({ object }) => name in object)
        .map(({ object }) => ({ value: object[name] }))[0]
    if (!found) return
    part.globals.add(name)
    part.values[name] = found.value
  }

  private addDeclaration(part: Part, declaration: Declaration): void {
    if (part.decisions.has(declaration)) return
    const { file } = part
    if (declaration.fn !== undefined && !declaration.reassigned) {
      const value = this.lookup(part, declaration.names[0]!)?.value
      if (typeof value === 'function') this.places.set(value, { file, fn: declaration.fn })
    }
    const values = this.valuesOf(part, declaration)
    part.decisions.set(declaration, values ? 'value' : 'source')
    if (values) Object.assign(part.values, values)
    else this.need(file, declaration.uses)
    if (declaration.fn !== undefined && !values) this.addStatics(part, declaration.names[0]!)
  }

  /**
   * Static fields of a class, and what was put on a function, as they are now. Static fields that cannot
   * travel begin on the node as in the source.
   */
  private addStatics(part: Part, name: string): void {
    const type = this.lookup(part, name)?.value
    if (typeof type !== 'function') return
    const isClass = /^class\b/.test(Function.prototype.toString.call(type))
    const statics: Record<string, unknown> = {}
    for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
      if (!descriptor.enumerable || !('value' in descriptor)) continue
      // functions of a class are in its source; a function's own were put there later
      const held = (value: object) =>
        isClass && typeof value === 'function' ? undefined : this.contents(value)
      if (!isClass || travelsPlainly(descriptor.value, held)) statics[key] = descriptor.value
    }
    if (Object.keys(statics).length > 0) part.statics[name] = statics
    const node = part.file.analysis.functions.find((f) => f.declared === name)
    const privates: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(node ? staticPrivates(type, node, part.file) : {}))
      if (travelsPlainly(value, (held) => (typeof held === 'function' ? undefined : this.contents(held))))
        privates[key] = value
    if (Object.keys(privates).length > 0) part.staticPrivates[name] = privates
  }

  /** The variables' current values, when they go along as data; undefined: the source says what they are. */
  private valuesOf(part: Part, declaration: Declaration): Record<string, unknown> | undefined {
    const { kind, fn, literal, still, reassigned, mutated, names } = declaration
    if (kind !== 'variable' || ((fn !== undefined || literal) && !reassigned)) return undefined
    const values: Record<string, unknown> = {}
    for (const name of names) {
      // a name of a pattern that no function uses is optimised away
      const found = this.lookup(part, name)
      if (!found && this.visited.has(`${part.file.path}\0${name}`)) return undefined
      if (!found) continue
      // an object of functions: its source is the cheaper way, unless something was put in later
      const held = (value: object) =>
        typeof value !== 'function' || mutated || !still ? this.contents(value) : undefined
      if (!reassigned && !travelsPlainly(found.value, held)) return undefined
      values[name] = found.value
    }
    return Object.keys(values).length > 0 ? values : undefined
  }

  /**
   * Declarations whose initialiser needs, while it runs, a value that comes with the call: they run after the
   * values are there, in the order of the modules.
   */
  late(): Map<Declaration, Part> {
    const late = new Map<Declaration, Part>()
    const order: Part[] = []
    const visit = (part: Part) => {
      if (order.includes(part)) return
      order.push(part)
      for (const local of part.imports) {
        const binding = part.file.analysis.imports.find((i) => i.local === local)
        const target = binding && this.sibling(part.file, binding)
        const other = target && this.parts.get(target.path)
        if (other) visit(other)
      }
      // after what it imports
      order.splice(order.indexOf(part), 1)
      order.push(part)
    }
    for (const part of this.parts.values()) visit(part)
    for (const part of order)
      for (const declaration of [...part.decisions.keys()].sort((a, b) => a.start - b.start)) {
        if (part.decisions.get(declaration) !== 'source') continue
        const base =
          declaration.fn === undefined ? undefined : part.file.analysis.functions[declaration.fn]!.heritage
        const extendsLate = typeof base === 'string' && this.declared(part, base).some(([d]) => late.has(d))
        if (!extendsLate && !this.reaches(part, declaration.evalUses, late, new Set())) continue
        // one statement is one piece of text: its declarators wait together
        const statement = declaration.statement?.start
        for (const [other, decision] of part.decisions)
          if (other === declaration || (statement !== undefined && other.statement?.start === statement))
            if (decision === 'source') late.set(other, part)
      }
    return late
  }

  private reaches(
    part: Part,
    names: readonly string[],
    late: Map<Declaration, Part>,
    seen: Set<Declaration>,
  ): boolean {
    return names.some((name) =>
      this.declared(part, name).some(([declaration, owner]) => {
        if (late.has(declaration) || owner.decisions.get(declaration) === 'value') return true
        if (seen.has(declaration)) return false
        seen.add(declaration)
        return this.reaches(owner, declaration.uses, late, seen)
      }),
    )
  }

  /** What a module-level name of a file stands for, here or in a sibling. */
  private declared(part: Part, name: string): [Declaration, Part][] {
    const own = part.file.analysis.declarations.filter((d) => d.names.includes(name))
    if (own.length > 0) return own.map((d) => [d, part])
    const binding = part.file.analysis.imports.find((i) => i.local === name)
    const target = binding && this.sibling(part.file, binding)
    const found = target && this.exported(target, binding.name)
    const other = found && this.parts.get(found.file.path)
    if (!found || !other) return []
    return found.file.analysis.declarations.filter((d) => d.names.includes(found.name)).map((d) => [d, other])
  }

  private addImport(part: Part, binding: ImportBinding): void {
    part.imports.add(binding.local)
    if (binding.own) return
    const target = this.sibling(part.file, binding)
    if (!target) return
    if (binding.name === '*') {
      this.part(target).namespace = true
      for (const name of this.exportNames(target)) this.needExport(target, name)
      return
    }
    const found = this.exported(target, binding.name)
    if (!found) return
    const other = this.part(found.file)
    if (other.scopes.length === 0) this.readerFor(part, binding, other, found.name)
    this.needOne(found.file, found.name)
  }

  private needExport(file: UserFile, name: string): void {
    const found = this.exported(file, name)
    if (found) this.needOne(found.file, found.name)
  }

  /** A sibling module's scopes, from one of its functions as this file imported it. */
  private readerFor(part: Part, binding: ImportBinding, other: Part, name: string): void {
    if (isBundled(other.file)) {
      // all files of a bundle share one scope
      other.scopes = part.scopes
      return
    }
    const value = this.lookupImport(part, binding)
    const declaration = other.file.analysis.declarations.find((d) => d.names.includes(name))
    if (typeof value === 'function' && declaration?.fn !== undefined && !declaration.reassigned) {
      this.places.set(value, { file: other.file, fn: declaration.fn })
      other.scopes = inspectFunction(value).scopes
    } else if (value !== undefined) {
      // data only: at least its own value is known
      other.scopes = [{ description: 'import', object: { [name]: value } }]
    }
  }

  private lookupImport(part: Part, binding: ImportBinding): unknown {
    const direct = this.lookup(part, binding.local, true)
    if (direct) return direct.value
    // compiled imports: __vi_import_0__.x, import_x.x, x_1.x
    const found = new Set<unknown>()
    for (const { object } of part.scopes)
      for (const [name, holder] of Object.entries(object))
        if (
          /^__vi_import_\d+__$|^import_|_\d+$/.test(name) &&
          typeof holder === 'object' &&
          holder !== null
        ) {
          try {
            if (Object.hasOwn(holder, binding.name)) found.add(Reflect.get(holder, binding.name))
          } catch {
            // not initialised yet: an import cycle; it has no value then
          }
        }
    return found.size === 1 ? [...found][0] : undefined
  }

  /** The current value of a module-level variable; undefined: it cannot be read. */
  lookup(part: Part, declared: string, imported = false): { value: unknown } | undefined {
    const isImported = part.scopes.every((s) => s.description === 'import')
    const name = isImported
      ? declared
      : runningName(part.file, declared, part.file.analysis.positions[declared] ?? [], imported)
    if (name === undefined) return undefined
    const outermostFirst = [...part.scopes].reverse().filter((s) => s.description !== 'Global')
    const ordered = [
      ...outermostFirst.filter((s) => s.description !== 'Script'),
      ...outermostFirst.filter((s) => s.description === 'Script'),
    ]
    for (const { object } of ordered) if (Object.hasOwn(object, name)) return { value: object[name] }
    return undefined
  }

  private resolve(specifier: string, folder: string): string | undefined {
    const key = `${folder}\0${specifier}`
    if (!resolved.has(key)) {
      const relative = /^\.{1,2}(\/|$)/.test(specifier)
      const bases = relative ? [resolve(folder, specifier)] : aliasTargets(specifier, folder)
      resolved.set(
        key,
        bases.map(resolveFile).find((path) => path !== undefined),
      )
    }
    return resolved.get(key)
  }

  /** The user's own module that the import means, when it can be sliced. */
  sibling(file: UserFile, binding: { from: string; type?: string; own?: boolean }): UserFile | undefined {
    if (binding.own || binding.type) return undefined
    const path = this.resolve(binding.from, dirname(file.path))
    if (path === undefined) return undefined
    const found = openFile(path, this.cacheDir)
    return found.analysis.commonjs ? undefined : found
  }

  /** Follows re-exports to the file that declares the name, or imports it from a package. */
  exported(file: UserFile, name: string, depth = 0): { file: UserFile; name: string } | undefined {
    if (depth > 20) return undefined
    const { exports, stars, imports } = file.analysis
    const own = exports.find((e) => e.name === name)
    if (own?.local === undefined && own) return undefined
    if (own) {
      if (own.from === undefined) {
        const binding = imports.find((i) => i.local === own.local)
        const target = binding && this.sibling(file, binding)
        if (binding && target && binding.name !== '*') return this.exported(target, binding.name, depth + 1)
        return { file, name: own.local! }
      }
      const target = own.local === '*' ? undefined : this.sibling(file, { from: own.from })
      return target && this.exported(target, own.local!, depth + 1)
    }
    if (name === 'default') return undefined
    for (const from of stars) {
      const target = this.sibling(file, { from })
      const found = target && this.exported(target, name, depth + 1)
      if (found) return found
    }
    return undefined
  }

  exportNames(file: UserFile, depth = 0): string[] {
    const names = new Set(file.analysis.exports.map((e) => e.name))
    if (depth < 20)
      for (const from of file.analysis.stars) {
        const target = this.sibling(file, { from })
        if (target)
          for (const name of this.exportNames(target, depth + 1)) if (name !== 'default') names.add(name)
      }
    return [...names]
  }

  /** `import` lines for these names of a file, for a module that holds a piece of it. */
  private header(file: UserFile, names: readonly string[], own: boolean): string {
    const lines: string[] = ['import{$farcallBlank,$farcallPrivates}from"farcall-support:support";']
    for (const name of [...new Set(names)].sort()) {
      if (
        file.analysis.declarations.some((d) => d.names.includes(name)) ||
        this.parts.get(file.path)?.globals.has(name)
      ) {
        if (!own) lines.push(`import{${name}}from${quote(`farcall-slice:${file.id}`)};`)
        continue
      }
      const binding = file.analysis.imports.find((i) => i.local === name)
      if (binding) lines.push(this.importLine(file, binding))
    }
    return lines.join('')
  }

  private importLine(file: UserFile, binding: ImportBinding): string {
    const { local, name } = binding
    const target = this.sibling(file, binding)
    if (target && name === '*') return `import*as ${local} from${quote(`farcall-exports:${target.id}`)};`
    const found = target && this.exported(target, name)
    if (found?.file.analysis.declarations.some((d) => d.names.includes(found.name)))
      return `import{${found.name} as ${local}}from${quote(`farcall-slice:${found.file.id}`)};`
    const attributes = binding.type ? `with{type:${quote(binding.type)}}` : ''
    if (name === '*') return `import*as ${local} from${quote(binding.from)}${attributes};`
    return `import{${name} as ${local}}from${quote(binding.from)}${attributes};`
  }

  emit(): Emitted[] {
    const parts = [...this.parts.values()].sort((a, b) => (a.file.id < b.file.id ? -1 : 1))
    const hooks = parts.some((p) => p.file.analysis.functions.some((f) => f.privates))
    const late = this.late()
    const modules: Emitted[] = []
    for (const part of parts) {
      const { file } = part
      const needed = [...part.decisions].flatMap(([d, decision]) => (decision === 'source' ? d.uses : []))
      const effects = file.analysis.effects
        .filter((e) => !e.startsWith('.') && !e.startsWith('farcall'))
        .map((e) => `import${quote(e)};`)
        .join('')
      modules.push({
        id: `farcall-slice:${file.id}`,
        file: file.path,
        text: sliceModule(part, effects + this.header(file, needed, true), hooks, late),
      })
      if (part.namespace)
        modules.push({ id: `farcall-exports:${file.id}`, file: file.path, text: this.exportsText(file) })
    }
    for (const [id, { file, fn }] of [...this.closures].sort(([a], [b]) => (a < b ? -1 : 1)))
      modules.push({
        id: `farcall-closure:${id}`,
        file: file.path,
        text: sliceClosure(file, fn, this.header(file, file.analysis.functions[fn]!.uses, false), hooks),
      })
    return modules
  }

  private exportsText(file: UserFile): string {
    const lines = this.exportNames(file).flatMap((name) => {
      const found = this.exported(file, name)
      if (!found) return []
      if (found.file.analysis.declarations.some((d) => d.names.includes(found.name)))
        return [`export{${found.name} as ${name}}from${quote(`farcall-slice:${found.file.id}`)}`]
      const binding = found.file.analysis.imports.find((i) => i.local === found.name)
      return binding ? [`${this.importLine(found.file, binding)}export{${binding.local} as ${name}}`] : []
    })
    return `\n${lines.join(';\n')}`
  }
}

/** What imports mean does not change while the program runs. */
const resolved = new Map<string, string | undefined>()

export const quote = (text: string): string => JSON.stringify(text)

export const nodeOf = (place: Place): FunctionNode => place.file.analysis.functions[place.fn]!

/** Functions of Node itself, by a name that finds them again on the node. */
let builtins: Map<unknown, string> | undefined

export function builtinId(value: unknown): string | undefined {
  if (!builtins) {
    builtins = new Map()
    const require = createRequire(`${dirname(process.execPath)}/`)
    for (const name of [
      'fs',
      'path',
      'os',
      'util',
      'crypto',
      'url',
      'zlib',
      'child_process',
      'assert',
      'events',
      'buffer',
      'stream',
      'timers',
      'perf_hooks',
      'fs/promises',
      'timers/promises',
    ])
      for (const [key, member] of Object.entries(require(`node:${name}`) as object))
        if (typeof member === 'function') builtins.set(member, `b:${name}:${key}`)
    for (const key of Object.getOwnPropertyNames(globalThis)) {
      const descriptor = Object.getOwnPropertyDescriptor(globalThis, key)
      const member: unknown = descriptor && 'value' in descriptor ? descriptor.value : undefined
      if (member === null || (typeof member !== 'object' && typeof member !== 'function')) continue
      if (typeof member === 'function' && !isNative(member)) continue
      for (const inner of Object.getOwnPropertyNames(member)) {
        const value = Object.getOwnPropertyDescriptor(member, inner)?.value as unknown
        if (typeof value === 'function' && inner !== 'constructor' && (isNative(value) || key === 'console'))
          builtins.set(value, `g:${key}.${inner}`)
      }
      if (typeof member !== 'function') continue
      builtins.set(member, `g:${key}`)
      const prototype: unknown = member.prototype
      if (typeof prototype === 'object' && prototype !== null)
        for (const [inner, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype)))
          if (
            typeof value === 'function' &&
            inner !== 'constructor' &&
            isNative(value) &&
            !builtins.has(value)
          )
            builtins.set(value, `g:${key}.prototype.${inner}`)
    }
  }
  return builtins.get(value)
}

export function isNative(fn: Function): boolean {
  return /\{\s*\[native code\]\s*\}\s*$/.test(Function.prototype.toString.call(fn))
}
