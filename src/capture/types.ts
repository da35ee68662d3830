import type { Elsewhere } from '../core/elsewhere.ts'
import type { SplitPlan } from '../core/loops/plan.ts'
import type { BlobRef } from '../core/protocol.ts'

export type { BundleModule } from '../core/bundle-module.ts'

/** Where `cluster()` was called: the string of `new Error().stack`, taken there. */
export type CallSite = string

export interface CaptureOptions {
  /** The decorated method's name, when the function is one: `this` then travels. */
  method?: { name: string | symbol; isStatic: boolean }
  /** Folder of the disk cache; undefined: none. */
  cacheDir?: string
  /** Folder that relative imports and packages are looked up from when the function has no file. Default process.cwd(). */
  cwd?: string
  /** Looks for loops whose turns may run apart. */
  parallel?: 'auto' | 'strict'
}

/** The code of one function with all it needs. Depends on code only, never on captured values. */
export interface Bundle {
  /** Hex sha256 of `code`. */
  readonly hash: string
  /** An ES module; see BundleModule for its exports. */
  readonly code: Uint8Array
  /** Source map v3 JSON, whose sources are absolute paths of the user's files. Stays on this machine. */
  readonly map: string
  /** What it imports that it does not hold. */
  readonly packages: readonly BundlePackage[]
}

/** A package that a bundle does not hold: it travels beside it. */
export interface BundlePackage {
  /** What the bundle calls it: its name, unless that is another version's. */
  readonly alias: string
  readonly name: string
  readonly version: string
  /** Where it is installed here. */
  readonly folder: string
  readonly why: string
}

/** Names of packages whose way is chosen by hand. */
export interface PackageChoices {
  readonly install: readonly string[]
  readonly bundle: readonly string[]
}

/**
 * A function as it is at this moment. Taken synchronously, so that a later mutation does not leak in.
 * encode() may be called until bundle(); functions and class instances among the values join the bundle.
 */
export interface Snapshot {
  readonly name: string
  /** Absolute path and 1-based line of the function in the user's source, when it has one. */
  readonly file?: string
  readonly line?: number
  /** The captured variables, encoded at snapshot time. */
  values(): Uint8Array
  /** What `share` gave that the captured variables hold. */
  blobs(): readonly BlobRef[]
  /**
   * Encodes arguments (or `this` with arguments). `elsewhere`: see EncodeOptions.
   * @throws CaptureError naming the path from `root`
   */
  encode(
    value: unknown,
    root: string,
    elsewhere?: (value: object, depth: number) => Elsewhere | undefined,
  ): Uint8Array
  /** Has classes along whose instances come in values that are not seen here. @throws CaptureError */
  bring(classes: Iterable<Function>): void
  /** `node`: major version of the oldest Node that the bundle must run on; default 16. */
  bundle(node?: number, packages?: PackageChoices): Promise<Bundle>
  /** The classes of this program that a result may hold instances of, by their id in the bundle. */
  classes(): ReadonlyMap<string, Function>
  /** Names of the variables whose values were read. */
  readonly variables?: readonly string[]
  /** It is no function of the program, but runs a command. */
  readonly command?: { readonly script?: { readonly name: string; readonly text: string } }
  /** What was found of its loops, when that was asked for. */
  readonly loops?: SnapshotLoops
}

/** The loops of a function that may be split. */
export interface SnapshotLoops {
  /** Loops that run where they stand: 'sweep.ts:14', and why. */
  readonly kept: readonly { readonly place: string; readonly reason: string }[]
  /** Absent: no loop is split, and the bundle is that of the function as it is. */
  readonly split?: {
    readonly plan: SplitPlan
    /** JavaScript that gives the function with nothing but its light segments in it; absent: there are none. */
    readonly light?: string
    /** The same snapshot, with bytes that all its turns need. */
    withShared(bytes: Uint8Array): Snapshot
  }
}
