import { types } from 'node:util'
import { encode } from '../codec/codec.ts'
import type { Reference } from '../codec/types.ts'
import { CaptureError } from '../core/errors.ts'
import type { FunctionNode } from './analysis.ts'
import { builtinId, isNative } from './builtins.ts'
import { type Emitted, makeBundle } from './bundle.ts'
import { emit } from './emit.ts'
import { entryText } from './entry.ts'
import { Graph, nodeOf, quote } from './graph.ts'
import { inspectFunction } from './inspect.ts'
import { lateDeclarations } from './late.ts'
import { locate, locateByInspector, type Place } from './locate.ts'
import { privateFields } from './privates.ts'
import { isBundled, runningName } from './renamed.ts'
import { placeName, positionOf, sourceMissing } from './sources.ts'
import type { Bundle, CallSite, CaptureOptions, Snapshot } from './types.ts'
import { travelsPlainly } from './values.ts'

/** Where functions stand does not change: found once, for the life of the function. */
const places = new WeakMap<Function, Place>()
const lost = new WeakSet<Function>()

export interface SnapshotOptions extends CaptureOptions {
  /** Packages that are installed where the function runs: they stay imports. */
  external?: readonly string[]
}

/** Finds the function's source ahead of the first call, so that the call itself is quick. Never throws. */
export function prepare(fn: Function, site: CallSite, options: SnapshotOptions = {}): void {
  try {
    placeOf(fn, site, options)
  } catch {
    // the call says it, with a stack that leads there
  }
}

function placeOf(fn: Function, site: CallSite, options: SnapshotOptions): Place {
  let place = places.get(fn)
  if (!place) {
    if (isNative(fn)) {
      const bound = fn.name.startsWith('bound ')
      throw new CaptureError(
        'CAPTURE_REFUSED',
        `the function ${fn.name || '(anonymous)'} cannot travel: it is ${bound ? 'bound' : 'native code'}`,
        {
          hint: bound
            ? 'give the function itself, and what it is bound to as an argument'
            : 'call it inside a function of your own',
        },
      )
    }
    place = locate(fn, site, options)
    if (!place) throw sourceMissing(fn.name)
    places.set(fn, place)
  }
  return place
}

/**
 * Takes the function as it is now: its code, and the values of the variables that it captured.
 *
 * @param site `new Error().stack` where cluster() was called
 * @throws CaptureError CAPTURE_REFUSED for what cannot travel, CAPTURE_SOURCE_MISSING without a source
 * @example const shot = snapshot(fn, stack); const args = shot.encode([1, 2], 'call'); (await shot.bundle()).code
 */
export function snapshot(fn: Function, site: CallSite, options: SnapshotOptions = {}): Snapshot {
  const place = placeOf(fn, site, options)
  return new Taking(fn, place, options)
}

/**
 * Functions and classes that arguments of earlier calls brought along: later calls take them at once, so that
 * calls made together have equal values, and one bundle serves them.
 */
const brought = new WeakMap<FunctionNode, Map<FunctionNode, { place: Place; type?: Function }>>()

class Taking implements Snapshot {
  readonly name: string
  readonly file: string
  readonly line: number
  private readonly graph: Graph
  private readonly main: Place
  private readonly options: SnapshotOptions
  private readonly env: Record<string, unknown>
  private readonly entry: string
  private encoded: Uint8Array | undefined
  private encodedParts = -1
  private frozen: string | undefined
  /** What the bundle is made of; from then on nothing joins it. */
  private emitted: readonly Emitted[] | undefined
  /** Ids of classes and functions in the captured values. */
  private readonly inValues = new Set<string>()
  private readonly found = new Map<object, Reference>()
  private readonly copies = new Map<string, Record<string, unknown>[]>()

  constructor(fn: Function, main: Place, options: SnapshotOptions) {
    const node = nodeOf(main)
    this.options = options
    this.main = main
    this.name = fn.name || node.name || node.label || 'anonymous'
    this.file = main.file.path
    this.line = positionOf(main.file.text, node.start).line
    this.graph = new Graph(places, main.file.root, options.cacheDir, (value) => this.contents(value))
    const scopes = this.graph.scopesOf(fn, main.file)
    const writes = node.captures.find((c) => c.writes !== undefined)
    if (writes)
      this.refuse(
        main,
        writes.writes!,
        `assigns to '${writes.name}' outside of it: the change would stay on the node`,
        `return the value, and assign it here`,
      )
    if (node.kind === 'method' && node.owner !== undefined) {
      this.entry = this.methodEntry(node)
      this.env = {}
    } else {
      this.checkLexical(main, node)
      if (node.declared !== undefined) {
        this.graph.need(main.file, [node.declared])
        this.entry = `import{${node.declared} as $main}from${quote(`farcall-slice:${main.file.id}`)};`
        this.env = {}
      } else {
        const id = this.graph.addClosure(main)
        this.entry = `import{$farcallMake}from${quote(`farcall-closure:${id}`)};const[$main,$env]=$farcallMake();`
        this.env = this.envOf(main, scopes)
      }
    }
    for (const { place, type } of brought.get(node)?.values() ?? []) this.join(place, type)
    this.values()
    this.refuseLate()
  }

  /** The text of a function or class met in a value comes along. */
  private join(place: Place, type: Function | undefined): void {
    if (type) this.graph.moduleScopes(type, place.file)
    const { declared } = nodeOf(place)
    if (declared !== undefined) this.graph.need(place.file, [declared])
    // without a function of its file at hand its module's values could not be read
    else if (this.graph.parts.get(place.file.path)?.scopes.length) this.graph.addClosure(place)
  }

  private remember(place: Place, type?: Function): void {
    const main = nodeOf(this.main)
    const known = brought.get(main) ?? new Map()
    brought.set(main, known.set(nodeOf(place), type ? { place, type } : { place }))
  }

  private methodEntry(node: FunctionNode): string {
    const { file } = this.main
    const owner = file.analysis.functions[node.owner!]!
    if (node.isPrivate || node.name === '')
      this.refuse(
        this.main,
        node.start,
        `has no name that finds it from outside`,
        'give the method a plain name',
      )
    if (owner.declared === undefined)
      this.refuse(
        this.main,
        node.start,
        `belongs to a class inside a function`,
        'declare the class at the top level of the file',
      )
    this.graph.need(file, [owner.declared!])
    return `import{${owner.declared} as $class}from${quote(`farcall-slice:${file.id}`)};${
      node.isStatic
        ? // without a `this` of its own it is the class, as in a call of the user's
          `const $raw=$class[${quote(node.name)}];const $main=function(...a){return $raw.apply(this===undefined?$class:this,a)};Object.setPrototypeOf($main,Object.getPrototypeOf($raw));`
        : `const $main=$class.prototype[${quote(node.name)}];`
    }`
  }

  private checkLexical(place: Place, node: FunctionNode): void {
    if (!node.lexical) return
    const { what, at } = node.lexical
    this.refuse(
      place,
      at,
      `uses '${what}' of what is around it, which cannot travel`,
      what === 'this'
        ? 'keep what it needs in a constant: const self = this'
        : 'give what it needs as an argument',
    )
  }

  private refuse(place: Place, at: number, why: string, hint: string): never {
    const { name: own, label } = nodeOf(place)
    const name = own || label || 'the function'
    throw new CaptureError('CAPTURE_REFUSED', `${placeName(place.file, at)} ${name} ${why}`, { hint })
  }

  /** The captured variables' values, by name, as they are now. */
  private envOf(place: Place, scopes: ReturnType<Graph['scopesOf']>): Record<string, unknown> {
    const env: Record<string, unknown> = {}
    for (const capture of nodeOf(place).captures) {
      const name = runningName(place.file, capture.name, [capture.at]) ?? ''
      const scope = scopes.find((s) => s.description !== 'Global' && Object.hasOwn(s.object, name))
      if (!scope) {
        if (capture.literal !== undefined) continue
        this.refuse(
          place,
          capture.at,
          `captured '${capture.name}', whose value cannot be read`,
          'give it as an argument',
        )
      }
      const value = scope!.object[name]
      env[capture.name] = value
      if (typeof value === 'function' && capture.fn !== undefined)
        places.set(value, { file: place.file, fn: capture.fn })
    }
    return env
  }

  values(): Uint8Array {
    const count = this.valueCount()
    if (this.encoded && this.encodedParts === count) return this.encoded
    // walking the values may bring further modules, with values of their own
    for (let before = -1; before !== this.valueCount(); ) {
      this.graph.settle()
      before = this.valueCount()
      const modules: Record<string, unknown> = {}
      for (const part of this.graph.parts.values())
        if (Object.keys(part.values).length > 0) modules[part.file.id] = part.values
      this.encoded = this.encodeWith(
        {
          env: this.env,
          modules,
          statics: this.statics('statics'),
          staticPrivates: this.statics('staticPrivates'),
        },
        captured,
      )
    }
    this.encodedParts = this.valueCount()
    return this.encoded!
  }

  private statics(kind: 'statics' | 'staticPrivates'): Record<string, unknown> {
    const statics: Record<string, unknown> = {}
    const late = new Set(lateDeclarations(this.graph).keys())
    for (const part of this.graph.parts.values())
      for (const [name, fields] of Object.entries(part[kind])) {
        const isLate = [...part.decisions.keys()].some((d) => d.names[0] === name && late.has(d))
        // a late class is not there yet when its own instances are decoded
        const kept = Object.entries(fields).filter(
          ([, value]) => !isLate || travelsPlainly(value, () => undefined),
        )
        if (kept.length > 0) statics[`${part.file.id}:${name}`] = Object.fromEntries(kept)
      }
    return statics
  }

  private valueCount(): number {
    let count = 0
    for (const part of this.graph.parts.values())
      count +=
        Object.keys(part.values).length +
        Object.keys(part.statics).length +
        Object.keys(part.staticPrivates).length
    return count
  }

  encode(value: unknown, root: string): Uint8Array {
    const bytes = this.encodeWith(value, root)
    if (this.frozen !== undefined && this.shape() !== this.frozen)
      throw new CaptureError(
        'CAPTURE_REFUSED',
        `${root}: it holds a function or class that the bundle, already made, does not have`,
        {
          hint: 'give functions and class instances of one kind in all items, or capture them',
        },
      )
    return bytes
  }

  private shape(): string {
    const parts = [...this.graph.parts.values()].map(
      (p) => `${p.file.id}:${p.decisions.size}:${p.imports.size}`,
    )
    return `${parts.join()}|${[...this.graph.closures.keys()].join()}`
  }

  private encodeWith(value: unknown, root: string): Uint8Array {
    try {
      return encode(value, {
        root,
        reference: (object) => {
          const reference = this.reference(object)
          if (root === captured && reference) this.inValues.add(reference.id)
          return reference
        },
        explain: (object) => this.explain(object),
      })
    } catch (error) {
      throw root === captured ? this.atCapture(error) : error
    }
  }

  /** Why an instance of one of the user's own classes does not travel. */
  private explain(value: unknown): { why: string; hint: string } | undefined {
    if (typeof value !== 'object' || value === null || types.isProxy(value)) return undefined
    const type: unknown = Object.getPrototypeOf(value)?.constructor
    if (typeof type !== 'function' || isNative(type)) return undefined
    const place = this.find(type)
    if (!place || nodeOf(place).kind !== 'class' || nodeOf(place).declared !== undefined) return undefined
    return {
      why: `an instance of ${type.name} cannot travel: the class is declared inside a function`,
      hint: 'declare the class at the top level of the file, or send the fields as a plain object',
    }
  }

  /** "captured.env.socket: why" becomes "study.ts:26:17 captured 'socket': why". */
  private atCapture(error: unknown): unknown {
    if (!(error instanceof CaptureError) || error.code !== 'VALUE_REFUSED') return error
    const [first = ''] = error.message.split('\n')
    const match = /^captured\.(?:env|modules(?:\.[\w$]+|\["[^"]*"\]))\.([\p{ID_Continue}$]+)(.*)$/u.exec(
      first,
    )
    // without a map, what was compiled is what is read: there #x is a WeakMap (a method: a WeakSet) named _x
    const lowered = match && /^_/.test(match[1]!) && /: a Weak(?:Map|Set) cannot travel$/.test(match[2]!)
    const hint = lowered
      ? 'if a compiler made it of a #private member, build with source maps (sourcemap: true), or for ES2022 or later'
      : error.hint
    const options = { cause: error, ...(hint === undefined ? {} : { hint }) }
    if (!match) return new CaptureError('CAPTURE_REFUSED', first, options)
    const [, name, rest] = match
    const use = nodeOf(this.main).captures.find((c) => c.name === name)
    const at = placeName(this.main.file, use?.at ?? nodeOf(this.main).start)
    return new CaptureError('CAPTURE_REFUSED', `${at} captured '${name}'${rest}`, options)
  }

  /** How a function or class instance found in a value travels; undefined: it does not. */
  private reference(object: object): Reference | undefined {
    if (typeof object === 'function') {
      const known = this.found.get(object)
      const made = known ?? this.functionReference(object as Function)
      if (made) this.found.set(object, made)
      return made
    }
    if (types.isProxy(object)) return undefined
    const type: unknown = Object.getPrototypeOf(object)?.constructor
    if (typeof type !== 'function' || isNative(type)) return undefined
    // made by Object.create or setPrototypeOf: more than fields make it what it is
    if (Object.getPrototypeOf(object) !== type.prototype) return undefined
    const place = this.find(type)
    if (!place) return undefined
    const node = nodeOf(place)
    if (node.kind !== 'class' || node.declared === undefined) return undefined
    this.join(place, type)
    this.remember(place, type)
    const fields: Record<PropertyKey, unknown> = {}
    for (const key of Reflect.ownKeys(object)) {
      const descriptor = Object.getOwnPropertyDescriptor(object, key)!
      fields[key] = 'value' in descriptor ? descriptor.value : Reflect.get(object, key)
    }
    const privates = privateFields(object, type, place, (t) => this.find(t))
    return {
      kind: 'instance',
      id: `${place.file.id}:${node.declared}`,
      fields,
      ...(privates ? { privates } : {}),
    }
  }

  /** What a function or instance takes along; undefined: it cannot travel. */
  private contents(value: object): readonly unknown[] | undefined {
    const reference = this.reference(value)
    if (!reference || reference.kind === 'function') return reference && []
    return [...Object.values(reference.fields), ...Object.values(reference.privates ?? {})]
  }

  private functionReference(fn: Function): Reference | undefined {
    const builtin = builtinId(fn)
    if (builtin) return { kind: 'function', id: builtin }
    const marked = targetOf(fn)
    if (marked) {
      if (marked.site && !marked.method) placeOf(marked.fn, marked.site, this.options)
      return { kind: 'instance', id: 'remote', fields: { fn: marked.fn } }
    }
    const { bound } = isNative(fn) ? inspectFunction(fn) : {}
    if (bound) return { kind: 'instance', id: 'bound', fields: { ...bound }, privates: { ...fn } }
    if (isNative(fn)) return undefined
    const place = this.find(fn)
    if (!place) return undefined
    const node = nodeOf(place)
    if (node.declared !== undefined) {
      this.join(place, fn)
      this.remember(place, fn)
      return { kind: 'function', id: `${place.file.id}:${node.declared}` }
    }
    if (node.kind === 'getter' || node.kind === 'setter' || node.owner !== undefined) return undefined
    this.checkLexical(place, node)
    const early = node.captures.find((c) => c.early)
    if (early && node.kind === 'class')
      this.refuse(
        place,
        early.at,
        `needs '${early.name}' of the function around it while it is defined`,
        'declare the class at the top level of the file',
      )
    const scopes = this.graph.scopesOf(fn, place.file)
    const id = this.graph.addClosure(place)
    // the function itself is not kept: it may hold much
    this.remember(place)
    this.checkShared(place, node)
    const own: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(fn)) own[key] = value
    const fields = this.envOf(place, scopes)
    this.checkCopies(place, id, fields)
    return { kind: 'instance', id: `#${id}`, fields, privates: own }
  }

  /** Two copies of one function that change a variable: whether it is one variable cannot be seen. */
  private checkCopies(place: Place, id: string, fields: Record<string, unknown>): void {
    const copies = this.copies.get(id) ?? []
    for (const capture of nodeOf(place).captures)
      if (
        capture.writes !== undefined &&
        capture.shareable &&
        copies.some((other) => Object.is(other[capture.name], fields[capture.name]))
      )
        this.refuse(
          place,
          capture.writes,
          `assigns to '${capture.name}', which may be shared with another copy of it`,
          'keep it in an object: const state = { … }',
        )
    this.copies.set(id, [...copies, fields])
  }

  /** A variable that two travelling closures have and one changes would be two variables on the node. */
  private checkShared(place: Place, node: FunctionNode): void {
    for (const other of this.graph.closures.values()) {
      if (other.file !== place.file || other.fn === place.fn) continue
      for (const mine of node.captures) {
        const theirs = nodeOf(other).captures.find((c) => c.declaration === mine.declaration)
        if (!theirs || (mine.writes === undefined && theirs.writes === undefined)) continue
        this.refuse(
          place,
          mine.writes ?? mine.at,
          `shares '${mine.name}' with another function that travels, and one of them assigns to it`,
          'keep it in an object: const state = { … }',
        )
      }
    }
  }

  private find(fn: Function): Place | undefined {
    const known = places.get(fn)
    if (known || lost.has(fn)) return known
    for (const part of this.graph.parts.values()) {
      const renamed = isBundled(part.file)
      const declaration = part.file.analysis.declarations.find(
        (d) =>
          d.fn !== undefined &&
          !d.reassigned &&
          (renamed || d.names[0] === fn.name) &&
          this.graph.lookup(part, d.names[0]!)?.value === fn,
      )
      if (!declaration) continue
      const place = { file: part.file, fn: declaration.fn! }
      places.set(fn, place)
      return place
    }
    const place = locateByInspector(fn, this.options)
    if (!place || place.file.path.includes('/node_modules/')) {
      lost.add(fn)
      return undefined
    }
    places.set(fn, place)
    return place
  }

  async bundle(node = 16): Promise<Bundle> {
    if (!this.emitted) {
      this.values()
      this.frozen = this.shape()
      this.refuseLate()
      const entry = { id: 'farcall-entry:entry', text: entryText(this.graph, this.entry) }
      this.emitted = [entry, ...emit(this.graph)]
    }
    return makeBundle({
      modules: this.emitted,
      root: this.main.file.root,
      target: `node${node}`,
      external: this.options.external ?? [],
      cacheDir: this.options.cacheDir,
    })
  }

  /** Values are decoded before late classes exist: an instance of one would have no class. */
  private refuseLate(): void {
    const late = lateDeclarations(this.graph)
    if (late.size === 0) return
    const ids = new Map([...late].map(([d, part]) => [`${part.file.id}:${d.names[0]}`, [d, part] as const]))
    for (const reference of this.inValues) {
      const found = ids.get(reference)
      if (!found) continue
      const [{ names, start }, { file }] = found
      throw new CaptureError(
        'CAPTURE_REFUSED',
        `${placeName(file, start)} '${names[0]}' is captured by value, and needs other captured data while it is defined`,
        { hint: 'give it as an argument, or use literal constants in its static fields and initialiser' },
      )
    }
    for (const [declaration, part] of late)
      if (declaration.kind === 'enum' || declaration.kind === 'namespace')
        throw new CaptureError(
          'CAPTURE_REFUSED',
          `${placeName(part.file, declaration.start)} the ${declaration.kind} '${declaration.names[0]}' needs a value that is known only when the program runs`,
          { hint: 'use literal constants in it' },
        )
  }

  classes(): ReadonlyMap<string, Function> {
    const classes = new Map<string, Function>()
    for (const part of this.graph.parts.values())
      for (const [declaration, decision] of part.decisions) {
        if (decision !== 'source' || declaration.fn === undefined) continue
        if (part.file.analysis.functions[declaration.fn]!.kind !== 'class') continue
        const name = declaration.names[0]!
        const value = this.graph.lookup(part, name)?.value
        if (typeof value === 'function') classes.set(`${part.file.id}:${name}`, value)
      }
    return classes
  }
}

const captured = 'captured'

/** What cluster() keeps of a function that it wraps: inside a job the function itself is called. */
function targetOf(fn: Function): { fn: Function; site?: string; method?: unknown } | undefined {
  const target = Reflect.get(fn, Symbol.for('farcall.target')) ?? Reflect.get(fn, Symbol.for('farcall.meta'))
  return typeof target?.fn === 'function' ? target : undefined
}
