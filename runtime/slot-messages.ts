/** What goes between a member and the processes that run its items. */
import type { RecordKind } from '../src/core/pack.ts'
import type { ItemOutputs, MemberEnd } from '../src/core/protocol.ts'
import type { TaskProgress } from '../src/core/task.ts'
import type { YieldReport } from '../src/core/yields.ts'

export type ToSlot = { readonly run: number } | { readonly over: true }

export type FromSlot =
  | { readonly kind: 'ready' }
  | { readonly kind: 'launch-failed' | 'output-failed'; readonly message: string }
  /** Without bytes they lie in the file that `slotFiles.result` names. */
  | {
      readonly kind: 'record'
      readonly item: number
      readonly record: RecordKind
      readonly bytes?: readonly Uint8Array[]
      readonly outputs?: ItemOutputs
      readonly yields?: YieldReport
      readonly peakMemory: number
    }
  | { readonly kind: 'progress'; readonly item: number; readonly progress: TaskProgress }

/** Written by a process at its very end, when a message would come too late. */
export type LastWords = { readonly leave: string } | { readonly ended: Partial<MemberEnd> }

export const slotFiles = {
  lastWords: (run: string, slot: number) => `${run}/.slot.${slot}`,
  result: (run: string, item: number) => `${run}/.result.${item}`,
} as const

/** Names the process' slot; gone from the environment before the user's code sees it. */
export const slotVariable = 'FARCALL_SLOT'

/** Results over this many bytes go by a file. */
export const messageLimit = 8 * 2 ** 20
