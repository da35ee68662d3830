import { encode } from '../codec/codec.ts'
import type { Elsewhere } from '../core/elsewhere.ts'
import { CaptureError } from '../core/errors.ts'
import { type BlobRef, blobName } from '../core/protocol.ts'
import { sharedBlob } from '../core/shared.ts'
import { makeBundle } from './bundle.ts'
import { atCapture, captured, readCaptures } from './captured.ts'
import { watchCells } from './cells/tslab.ts'
import { emit } from './emit.ts'
import { entryText } from './entry.ts'
import { Graph } from './graph.ts'
import { lateDeclarations, refuseLate } from './late.ts'
import { nodeOf, type Place } from './locate.ts'
import { findLoops, type SplitFunction } from './loops/loops.ts'
import { addMain } from './main-function.ts'
import { currentValue } from './part.ts'
import { placeOf, places } from './places.ts'
import { positionOf } from './positions.ts'
import { References } from './references.ts'
import { objectionsTo, refuse, threadObjections } from './refusals.ts'
import type { Emitted } from './slice.ts'
import { placeName } from './sources.ts'
import type { Bundle, CallSite, CaptureOptions, PackageChoices, Snapshot, SnapshotLoops } from './types.ts'
import { travelsPlainly } from './values.ts'

export { evaluatesCells } from './deno.ts'
export { requireUnchanged } from './deno-changes.ts'
export { noteImports, readyForSnapshot } from './deno-imports.ts'

export interface SnapshotOptions extends CaptureOptions {
  /** For a function that goes to another thread: takes the SharedArrayBuffers that its values hold. */
  shared?: SharedArrayBuffer[]
}

type AskElsewhere = (value: object, depth: number) => Elsewhere | undefined

// Cells of a notebook leave no source behind: those that run from now on are kept.
watchCells()

/** Finds the function's source ahead of the first call, so that the call itself is quick. Never throws. */
export function prepare(fn: Function, site: CallSite, options: SnapshotOptions = {}): void {
  try {
    placeOf(fn, site, options)
  } catch {
    // the call says it, with a stack that leads there
  }
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

class Taking implements Snapshot {
  readonly name: string
  readonly file: string
  readonly line: number
  private readonly graph: Graph
  private readonly references: References
  /** The function, and the text that declares it in the bundle. */
  private readonly main: { place: Place; text: string }
  private readonly options: SnapshotOptions
  private readonly env: Record<string, unknown>
  private encoded: Uint8Array | undefined
  private encodedParts = -1
  private frozen: string | undefined
  /** What the bundle is made of; from then on nothing joins it. */
  private emitted: readonly Emitted[] | undefined
  /** Ids of classes and functions in the captured values. */
  private readonly inValues = new Set<string>()
  private readonly shared = new Map<string, BlobRef>()
  readonly loops?: SnapshotLoops
  private readonly splitting: SplitFunction | undefined

  constructor(fn: Function, main: Place, options: SnapshotOptions) {
    const node = nodeOf(main)
    this.options = options
    this.name = fn.name || node.name || node.label || 'anonymous'
    this.file = main.file.path
    this.line = positionOf(main.file.text, node.start).line
    this.graph = new Graph(places, main.file.root, options.cacheDir, (value) =>
      this.references.contents(value),
    )
    this.references = new References(this.graph, main, options)
    const scopes = this.graph.scopesOf(fn, main.file)
    const toThread = options.shared !== undefined && node.owner === undefined
    for (const objection of toThread ? threadObjections(main) : objectionsTo(main)) refuse(main, objection)
    const { text, isClosure } = addMain(this.graph, main)
    this.main = { place: main, text }
    this.env = isClosure ? readCaptures(main, scopes) : {}
    const loops = options.parallel && findLoops(main.file, node, this.graph.modules, options.parallel)
    this.splitting = loops?.split
    if (loops) this.loops = this.loopsOf(loops)
    this.references.joinBrought()
    this.values()
    refuseLate(this.graph, this.inValues)
  }

  private loopsOf({ verdicts, split }: ReturnType<typeof findLoops>): SnapshotLoops {
    const kept = verdicts
      .filter((one) => one.reason !== undefined && !one.inner)
      .map((one) => ({
        place: placeName(this.main.place.file, one.because ?? one.at).replace(/:\d+$/, ''),
        reason: one.reason!,
      }))
    if (!split) return { kept }
    const withShared = (bytes: Uint8Array): Snapshot =>
      Object.create(this, { values: { value: () => this.encodeValues({ loop: bytes }) } })
    return {
      kept,
      split: { plan: split.plan, ...(split.light === undefined ? {} : { light: split.light }), withShared },
    }
  }

  get variables(): readonly string[] {
    const values = [...this.graph.parts.values()].flatMap((part) => Object.keys(part.values))
    return [...Object.keys(this.env), ...values]
  }

  values(): Uint8Array {
    const count = this.valueCount()
    if (this.encoded && this.encodedParts === count) return this.encoded
    // walking the values may bring further modules, with values of their own
    for (let before = -1; before !== this.valueCount(); ) {
      this.graph.settle()
      before = this.valueCount()
      this.encoded = this.encodeValues({})
    }
    this.encodedParts = this.valueCount()
    return this.encoded!
  }

  blobs(): readonly BlobRef[] {
    return [...this.shared.values()]
  }

  private encodeValues(more: Record<string, unknown>): Uint8Array {
    const modules: Record<string, unknown> = {}
    for (const part of this.graph.parts.values())
      if (Object.keys(part.values).length > 0) modules[part.file.id] = part.values
    const own = {
      env: this.env,
      modules,
      statics: this.statics('statics'),
      staticPrivates: this.statics('staticPrivates'),
    }
    return this.encodeWith({ ...own, ...more }, captured, (object) => {
      const blob = sharedBlob(object)
      if (blob) this.shared.set(blobName(blob), blob)
      return blob && { blob }
    })
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

  encode(value: unknown, root: string, elsewhere?: AskElsewhere): Uint8Array {
    const bytes = this.encodeWith(value, root, elsewhere)
    this.requireSameShape(root)
    return bytes
  }

  bring(classes: Iterable<Function>): void {
    for (const type of classes) this.references.bring(type)
    this.requireSameShape('a job among the arguments')
  }

  private requireSameShape(root: string): void {
    if (this.frozen === undefined || this.shape() === this.frozen) return
    throw new CaptureError(
      'CAPTURE_REFUSED',
      `${root}: it holds a function or class that the bundle, already made, does not have`,
      {
        hint: 'give functions and class instances of one kind in all items, or capture them',
      },
    )
  }

  private shape(): string {
    const parts = [...this.graph.parts.values()].map(
      (p) => `${p.file.id}:${p.decisions.size}:${p.imports.size}`,
    )
    return `${parts.join()}|${[...this.graph.closures.keys()].join()}`
  }

  private encodeWith(value: unknown, root: string, elsewhere: AskElsewhere | undefined): Uint8Array {
    try {
      return encode(value, {
        root,
        ...(elsewhere ? { elsewhere } : {}),
        reference: (object) => {
          const reference = this.references.reference(object)
          if (root === captured && reference) this.inValues.add(reference.id)
          return reference
        },
        explain: (object) => this.references.explain(object),
        ...(this.options.shared ? { shared: this.options.shared } : {}),
      })
    } catch (error) {
      throw root === captured ? atCapture(error, this.main.place) : error
    }
  }

  async bundle(node = 16, packages: PackageChoices = { install: [], bundle: [] }): Promise<Bundle> {
    if (!this.emitted) {
      this.values()
      this.frozen = this.shape()
      refuseLate(this.graph, this.inValues)
      const entry = {
        id: 'farcall-entry:entry',
        text: entryText(this.graph, this.main.text, this.splitting?.plan),
      }
      const edited = this.splitting && { place: this.main.place, edits: this.splitting.edits }
      this.emitted = [entry, ...emit(this.graph, edited)]
    }
    return makeBundle({
      modules: this.emitted,
      root: this.main.place.file.root,
      target: `node${node}`,
      packages,
      cacheDir: this.options.cacheDir,
    })
  }

  classes(): ReadonlyMap<string, Function> {
    const classes = new Map<string, Function>()
    for (const part of this.graph.parts.values())
      for (const [declaration, decision] of part.decisions) {
        if (decision !== 'source' || declaration.fn === undefined) continue
        if (part.file.analysis.functions[declaration.fn]!.kind !== 'class') continue
        const name = declaration.names[0]!
        const value = currentValue(part, name)?.value
        if (typeof value === 'function') classes.set(`${part.file.id}:${name}`, value)
      }
    return classes
  }
}
