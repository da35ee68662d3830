import { dirname } from 'node:path'
import { types } from 'node:util'
import { CaptureError } from '../core/errors.ts'
import type { Declaration, ImportBinding, Range } from './analysis.ts'
import { importOf } from './cells/imported.ts'
import { isCellPath } from './cells/names.ts'
import { namedByCells } from './cells/place.ts'
import { tslabNotebook } from './cells/tslab.ts'
import { type Contents, readStatics, valuesOf } from './decide.ts'
import { importOfCell } from './deno-imports.ts'
import { assetPath, metaOf } from './homes.ts'
import { inspectFunction, type Scope } from './inspect.ts'
import { nodeOf, type Place } from './locate.ts'
import { Modules } from './modules.ts'
import { currentValue, importedValue, newPart, type Part } from './part.ts'
import { refusePatched } from './patched.ts'
import { refuse, threadObjections } from './refusals.ts'
import { isBundled } from './renamed.ts'
import { openFile, placeName, type UserFile } from './sources.ts'
import { threadsWithin, travellers } from './threads.ts'
import { travelsPlainly } from './values.ts'
import { refuseChangingCommonJs, Wholes } from './wholes.ts'

function wayAround(what: string): string {
  if (what === 'eval') return 'write the code out: what it needs cannot be seen in a text'
  if (what === 'with') return 'take what it needs out of the object: const { x } = object'
  return "import.meta.url, .filename and .dirname travel, and new URL('./data.csv', import.meta.url)"
}

/** './query.sql', './data.csv?raw': what a bundler or loader makes of it is a value. */
const isData = (specifier: string): boolean =>
  /^\.{1,2}\/.*(\?(raw|inline|url)|\.(?!([mc]?[jt]sx?|node|wasm)$)\w+)$/.test(specifier)

/** The files and functions that a snapshot takes along. Grows while values are walked. */
export class Graph {
  readonly parts = new Map<string, Part>()
  readonly closures = new Map<string, Place>()
  /** Where functions and classes met at run time stand in the source. */
  readonly places: WeakMap<Function, Place>
  readonly modules: Modules
  /** Paths in the bundle are seen from here. */
  readonly root: string
  /** Files that are taken whole, and those of them that run before anything else, by `import './setup.ts'`. */
  readonly wholes: Wholes
  readonly effects = new Map<string, UserFile>()
  private readonly visited = new Set<string>()
  /** The functions and variables that led here, for refusals. */
  private readonly trail: string[] = []
  private readonly contents: Contents

  constructor(
    places: WeakMap<Function, Place>,
    root: string,
    cacheDir: string | undefined,
    contents: Contents,
  ) {
    this.places = places
    this.contents = contents
    this.root = root
    this.modules = new Modules(cacheDir)
    this.wholes = new Wholes(this.modules)
  }

  part(file: UserFile): Part {
    let part = this.parts.get(file.path)
    if (!part) {
      part = newPart(file)
      this.parts.set(file.path, part)
      this.addEffects(file)
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
    part.reader ??= fn
    if (part.scopes.every((s) => s.description === 'import')) part.scopes = scopes
    return scopes
  }

  /** The function's text comes along, with all it names at module level. */
  addClosure(place: Place): string {
    const id = `${place.file.id}#${place.fn}`
    if (!this.closures.has(id)) {
      this.closures.set(id, place)
      const node = place.file.analysis.functions[place.fn]!
      this.within(node.name || node.label || 'the function', () => this.need(place.file, node.uses))
      this.addThreads(place.file, [node.start, node.end])
    }
    return id
  }

  /** Functions that code of ours gives to other threads come along as copies, too. */
  private addThreads(file: UserFile, range: Range): void {
    for (const { fn, hidden, at } of threadsWithin(file, range)) {
      if (fn === undefined) continue
      const place = { file, fn }
      if (hidden !== undefined)
        refuse(place, {
          at,
          why: `needs '${hidden}' in another thread, which is another variable where localMap is called`,
          hint: 'write the function as the argument of localMap',
        })
      for (const one of travellers(file, fn)) {
        const objection = threadObjections({ file, fn: one })[0]
        if (objection) refuse({ file, fn: one }, objection)
        this.addClosure({ file, fn: one })
      }
    }
  }

  need(file: UserFile, names: readonly string[]): void {
    for (const name of names) this.needOne(file, name)
  }

  private within(name: string, use: () => void): void {
    this.trail.push(name)
    try {
      use()
    } finally {
      this.trail.pop()
    }
  }

  /** Where it is, and how the function comes to it. */
  private refuse(file: UserFile, at: number, why: string, hint: string): never {
    const path = this.trail.length > 1 ? ` (${this.trail.join(' → ')})` : ''
    throw new CaptureError('CAPTURE_REFUSED', `${placeName(file, at)} ${why}${path}`, { hint })
  }

  private needOne(file: UserFile, name: string): void {
    const key = `${file.path}\0${name}`
    if (this.visited.has(key)) return
    this.visited.add(key)
    const part = this.part(file)
    if (name.includes(':')) {
      this.needOther(file, name)
      return
    }
    const declarations = file.analysis.declarations.filter((d) => d.names.includes(name))
    for (const declaration of declarations) this.addDeclaration(part, declaration)
    for (const declaration of declarations)
      if (part.decisions.get(declaration) === 'value' && !Object.hasOwn(part.values, name))
        this.refuse(
          file,
          declaration.start,
          `the value of '${name}' cannot be read`,
          'give it as an argument; bundlers that minify remove variables',
        )
    if (declarations.length > 0) return
    const binding = file.analysis.imports.find((i) => i.local === name)
    if (binding) this.addImport(part, binding)
    else if (name === '$importMeta') this.addMeta(part)
    else if (file.analysis.globals.includes(name)) this.addGlobal(part, name)
  }

  /** 'import:x', 'asset:n', 'refuse:at:what': see Declaration.uses. */
  private needOther(file: UserFile, name: string): void {
    const [kind, ...rest] = name.split(':')
    const text = rest.join(':')
    if (kind === 'asset') {
      const asset = file.analysis.assets[Number(text)]!
      const path = assetPath(file, asset)
      if (asset.worker) this.wholes.check(path)
    } else if (kind === 'refuse') {
      const what = rest.slice(1).join(':')
      this.refuse(file, Number(rest[0]), `uses ${what}, which cannot travel`, wayAround(what))
    } else {
      const path = this.modules.resolve(text, dirname(file.path))
      if (path !== undefined) this.wholes.add(path)
    }
  }

  private addEffects(file: UserFile): void {
    for (const specifier of file.analysis.effects) {
      const path = this.modules.resolve(specifier, dirname(file.path))
      if (path === undefined) continue
      this.wholes.add(path)
      this.effects.set(path, openFile(path, this.modules.cacheDir))
    }
  }

  /** A file that is taken whole and also in parts is taken in parts, with all its exports. */
  settle(): void {
    for (const part of this.parts.values()) {
      if (part.namespace || !this.wholes.files.has(part.file.path)) continue
      const { file } = part
      if (this.effects.has(file.path))
        this.refuse(
          file,
          0,
          'is imported for its effects, and for what it exports',
          'put what it exports into a file of its own',
        )
      part.namespace = true
      for (const name of this.modules.exportNames(file)) this.needExport(file, name)
      this.settle()
      return
    }
  }

  /** Where the file is at home: paths to files that both machines have go on being right. */
  private addMeta(part: Part): void {
    const meta = part.reader && metaOf(part.reader)
    if (!meta)
      this.refuse(
        part.file,
        part.file.analysis.metas[0] ?? 0,
        'uses import.meta, whose url cannot be read',
        'give the path as an argument',
      )
    part.globals.add('$importMeta')
    part.values['$importMeta'] = meta
  }

  /** What a REPL, a notebook or the program itself made global: its value comes along. */
  private addGlobal(part: Part, name: string): void {
    if (isCellPath(part.file.path)) {
      this.addFromCells(part, name)
      return
    }
    const scopes = part.scopes.filter((s) => s.description !== 'import').reverse()
    const found =
      currentValue(part, name) ??
      (scopes.length === 0 ? [{ object: globalThis as Record<string, unknown> }] : scopes)
        .filter(({ object }) => name in object)
        .map(({ object }) => ({ value: object[name] }))[0]
    if (!found) return
    this.addOfCell(part, name, found.value, importOfCell(name, found.value, dirname(part.file.path)))
  }

  private addOfCell(part: Part, name: string, value: unknown, binding: ImportBinding | undefined): void {
    if (binding) {
      part.brought.set(name, binding)
      this.addImport(part, binding)
    } else {
      part.globals.add(name)
      part.values[name] = value
    }
  }

  /** A name of another cell: what it imported is imported here as well. */
  private addFromCells(part: Part, name: string): void {
    const shared = tslabNotebook()?.exports ?? {}
    const all = Object.hasOwn(shared, name) ? shared : (globalThis as Record<string, unknown>)
    if (!(name in all)) return
    const value = all[name]
    if (typeof value === 'function' && this.importFromCell(part, name, value)) return
    const named = () => namedByCells(dirname(part.file.path), this.modules.cacheDir)
    this.addOfCell(part, name, value, importOf(name, value, named, dirname(part.file.path)))
  }

  private addDeclaration(part: Part, declaration: Declaration): void {
    if (part.decisions.has(declaration)) return
    const { file } = part
    const { fn, names, reassigned } = declaration
    const now = fn === undefined ? undefined : currentValue(part, names[0]!)?.value
    const place = fn !== undefined && typeof now === 'function' ? { file, fn } : undefined
    if (place && !reassigned) this.places.set(now as Function, place)
    const isNeeded = (name: string) => this.visited.has(`${file.path}\0${name}`)
    const isItself = place !== undefined && reassigned && this.isStillItself(now as Function, place)
    const values = isItself ? undefined : valuesOf(part, declaration, isNeeded, this.contents)
    part.decisions.set(declaration, values ? 'value' : 'source')
    if (values) Object.assign(part.values, values)
    else {
      // before what its compiler put around it is asked for
      if (place) refusePatched(now as Function, place)
      this.within(names.join(), () => this.need(file, declaration.uses))
      this.addThreads(file, [declaration.start, declaration.end])
      if (fn !== undefined) readStatics(part, names[0]!, this.contents)
    }
  }

  /** `A = decorate(A) || A`, as compilers write decorators of a class: what it is assigned is what it was. */
  private isStillItself(now: Function, { file, fn }: Place): boolean {
    const found = this.placeOf(now)
    return found?.file === file && found.fn === fn
  }

  /** It is looked for where nobody has yet. */
  private placeOf(value: Function): Place | undefined {
    this.contents(value)
    return this.places.get(value)
  }

  /** A function or class is imported from the cell that declares it: what needs it while it is defined has it then. */
  private importFromCell(part: Part, local: string, value: Function): boolean {
    const place = this.placeOf(value)
    const name = place && nodeOf(place).declared
    if (name === undefined || !isCellPath(place!.file.path)) return false
    const { file } = place!
    this.modules.cells.set(file.path, file)
    const binding = { local, from: file.path, name }
    part.brought.set(local, binding)
    part.imports.add(local)
    this.know(part, { file, name }, value)
    this.needOne(file, name)
    return true
  }

  private addImport(part: Part, binding: ImportBinding): void {
    part.imports.add(binding.local)
    if (binding.own) return
    const target = this.modules.sibling(part.file, binding)
    if (!target) {
      this.addOther(part, binding)
      return
    }
    if (binding.name === '*') {
      this.part(target).namespace = true
      const all = currentValue(part, binding.local, true)?.value
      for (const name of this.modules.exportNames(target)) {
        const found = this.modules.exported(target, name)
        if (!found) continue
        if (typeof all === 'object' && all !== null && types.isModuleNamespaceObject(all))
          this.know(part, found, Reflect.get(all, name))
        this.needOne(found.file, found.name)
      }
      return
    }
    const found = this.modules.exported(target, binding.name)
    if (!found) return
    this.know(part, found, importedValue(part, binding))
    this.needOne(found.file, found.name)
  }

  private needExport(file: UserFile, name: string): void {
    const found = this.modules.exported(file, name)
    if (found) this.needOne(found.file, found.name)
  }

  /** A function or class that was met in a value says what its name stands for, where no scope does. */
  noteValue(place: Place, name: string, value: Function): void {
    const { file, fn } = place
    const declaration = declarationOf({ file, name })
    if (declaration?.fn === fn && !declaration.reassigned) this.part(file).known[name] ??= value
  }

  /** A sibling module's scopes, from one of its functions as another file imported it. */
  private know(part: Part, found: { file: UserFile; name: string }, value: unknown): void {
    const other = this.part(found.file)
    if (isBundled(other.file)) {
      // all files of a bundle share one scope
      if (other.scopes.length === 0) other.scopes = part.scopes
      if (part.reader) other.reader ??= part.reader
      if (found.name !== '$default') return
    }
    if (value === undefined) return
    const declaration = declarationOf(found)
    if (typeof value === 'function' && declaration?.fn !== undefined && !declaration.reassigned) {
      this.places.set(value, { file: other.file, fn: declaration.fn })
      this.moduleScopes(value, other.file)
    }
    other.known[found.name] = value
  }

  /** An import of data, or of a CommonJS file of the user's. */
  private addOther(part: Part, binding: ImportBinding): void {
    const { from, local, type } = binding
    if (type !== undefined || isData(from)) {
      const value = importedValue(part, binding)
      if (value === undefined || !travelsPlainly(value, () => undefined)) return
      part.globals.add(local)
      part.values[local] = value
      return
    }
    const path = this.modules.resolve(from, dirname(part.file.path))
    if (path === undefined) return
    refuseChangingCommonJs(openFile(path, this.modules.cacheDir))
    this.wholes.add(path)
  }
}

const declarationOf = ({ file, name }: { file: UserFile; name: string }) =>
  file.analysis.declarations.find((d) => d.names.includes(name))
