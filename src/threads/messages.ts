/** What goes between the thread that calls localMap and those that run its items. */
import type { TaskFacts } from '../core/task.ts'
import type { Packet } from './packet.ts'

export interface ThreadData {
  /** Tells a worker of ours from the user's own. */
  readonly farcall: 'thread'
  /** Path of the bundle, which holds the function. */
  readonly bundle: string
  /** In a job: where it lies, as the runtime's arguments. */
  readonly place?: readonly string[]
  /** The folder of what `share` gave. */
  readonly blobs: string
  /** Which item runs, -1 for none: known even if the thread is gone without a word. */
  readonly current: Int32Array
}

export type ToThread =
  /** `fn`: the function, beside the module's values as they are now; in a plain program, the captured values of the bundle's main. */
  | {
      readonly kind: 'begin'
      readonly fn?: Packet
      readonly values?: Uint8Array
      readonly shared?: readonly SharedArrayBuffer[]
      readonly facts: TaskFacts | undefined
      readonly seed: readonly (string | number)[]
    }
  | { readonly kind: 'run'; readonly from: number; readonly items: Packet }

export type FromThread =
  | { readonly kind: 'done'; readonly from: number; readonly results: Packet; readonly milliseconds: number }
  /** `index` -1: before any item ran. */
  | { readonly kind: 'failed'; readonly index: number; readonly error: Uint8Array }
  | { readonly kind: 'exit'; readonly index: number; readonly code: number; readonly stack: string }
