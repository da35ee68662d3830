import { CaptureError } from '../core/errors.ts'
import type { Declaration, FunctionNode, ImportBinding } from './analysis.ts'
import { inspectFunction, type Scope } from './inspect.ts'
import type { Place } from './locate.ts'
import { Modules } from './modules.ts'
import { staticPrivates } from './privates.ts'
import { isBundled, runningName } from './renamed.ts'
import type { Decision } from './slice.ts'
import { placeName, type UserFile } from './sources.ts'
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
  readonly modules: Modules
  private readonly visited = new Set<string>()
  private readonly contents: (value: object) => readonly unknown[] | undefined

  constructor(
    places: WeakMap<Function, Place>,
    cacheDir: string | undefined,
    contents: (value: object) => readonly unknown[] | undefined,
  ) {
    this.places = places
    this.contents = contents
    this.modules = new Modules(cacheDir)
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

  private addImport(part: Part, binding: ImportBinding): void {
    part.imports.add(binding.local)
    if (binding.own) return
    const target = this.modules.sibling(part.file, binding)
    if (!target) return
    if (binding.name === '*') {
      this.part(target).namespace = true
      for (const name of this.modules.exportNames(target)) this.needExport(target, name)
      return
    }
    const found = this.modules.exported(target, binding.name)
    if (!found) return
    const other = this.part(found.file)
    if (other.scopes.length === 0) this.readerFor(part, binding, other, found.name)
    this.needOne(found.file, found.name)
  }

  private needExport(file: UserFile, name: string): void {
    const found = this.modules.exported(file, name)
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
}

export const quote = (text: string): string => JSON.stringify(text)

export const nodeOf = (place: Place): FunctionNode => place.file.analysis.functions[place.fn]!
