import { types } from 'node:util'
import type { Reference } from '../codec/types.ts'
import { sharedBlob } from '../core/shared.ts'
import type { FunctionNode } from './analysis.ts'
import { builtinId, isNative } from './builtins.ts'
import { readCaptures } from './captured.ts'
import type { Graph } from './graph.ts'
import { inspectFunction } from './inspect.ts'
import { type LocateOptions, locateByInspector, nodeOf, type Place } from './locate.ts'
import { currentValue } from './part.ts'
import { refusePatched } from './patched.ts'
import { lost, placeOf, places } from './places.ts'
import { privateFields } from './privates.ts'
import { lexicalObjections, refuse } from './refusals.ts'
import { isBundled } from './renamed.ts'
import { type Copies, checkCopies, checkShared } from './shared.ts'

/**
 * Functions and classes that arguments of earlier calls brought along: later calls take them at once, so that
 * calls made together have equal values, and one bundle serves them.
 */
const brought = new WeakMap<FunctionNode, Map<FunctionNode, { place: Place; type?: Function }>>()

/** How functions and class instances that stand in values travel, and what they bring into the graph. */
export class References {
  private readonly graph: Graph
  private readonly main: Place
  private readonly options: LocateOptions
  private readonly found = new Map<object, Reference>()
  private readonly copies: Copies = new Map()

  constructor(graph: Graph, main: Place, options: LocateOptions) {
    this.graph = graph
    this.main = main
    this.options = options
  }

  /** What earlier calls of the function brought along. */
  joinBrought(): void {
    for (const { place, type } of brought.get(nodeOf(this.main))?.values() ?? []) this.join(place, type)
  }

  /** The text of a function or class met in a value comes along. */
  private join(place: Place, type: Function | undefined): void {
    if (type) {
      refusePatched(type, place)
      this.graph.moduleScopes(type, place.file)
    }
    const { declared } = nodeOf(place)
    if (type && declared !== undefined) this.graph.noteValue(place, declared, type)
    if (declared !== undefined) this.graph.need(place.file, [declared])
    // without a function of its file at hand its module's values could not be read
    else if (this.graph.parts.get(place.file.path)?.scopes.length) this.graph.addClosure(place)
  }

  private remember(place: Place, type?: Function): void {
    const main = nodeOf(this.main)
    const known = brought.get(main) ?? new Map()
    brought.set(main, known.set(nodeOf(place), type ? { place, type } : { place }))
  }

  /** How a function or class instance found in a value travels; undefined: it does not. */
  reference(object: object): Reference | undefined {
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

  /** A class whose instances may come in values that are not seen here. */
  bring(type: Function): void {
    const place = this.find(type)
    if (!place) return
    const node = nodeOf(place)
    if (node.kind !== 'class' || node.declared === undefined) return
    this.join(place, type)
    this.remember(place, type)
  }

  /** What a function or instance takes along; undefined: it cannot travel. */
  contents(value: object): readonly unknown[] | undefined {
    if (sharedBlob(value)) return []
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
      const gather = marked.options?.gather === undefined ? {} : { gather: true }
      return { kind: 'instance', id: 'remote', fields: { fn: marked.fn, ...gather } }
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
    for (const objection of lexicalObjections(place)) refuse(place, objection)
    const early = node.captures.find((c) => c.early)
    if (early && node.kind === 'class')
      refuse(place, {
        at: early.at,
        why: `needs '${early.name}' of the function around it while it is defined`,
        hint: 'declare the class at the top level of the file',
      })
    const scopes = this.graph.scopesOf(fn, place.file)
    const id = this.graph.addClosure(place)
    // the function itself is not kept: it may hold much
    this.remember(place)
    checkShared(this.graph, place)
    const own: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(fn)) own[key] = value
    const fields = readCaptures(place, scopes)
    checkCopies(this.copies, place, id, fields)
    return { kind: 'instance', id: `#${id}`, fields, privates: own }
  }

  /** Why an instance of one of the user's own classes does not travel. */
  explain(value: unknown): { why: string; hint: string } | undefined {
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
          currentValue(part, d.names[0]!)?.value === fn,
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
}

interface MarkedFunction {
  readonly fn: Function
  readonly site?: string
  readonly method?: unknown
  readonly options?: { readonly gather?: unknown }
}

/** What cluster() keeps of a function that it wraps: inside a job the function itself is called. */
function targetOf(fn: Function): MarkedFunction | undefined {
  const target = Reflect.get(fn, Symbol.for('farcall.target')) ?? Reflect.get(fn, Symbol.for('farcall.meta'))
  return typeof target?.fn === 'function' ? target : undefined
}
