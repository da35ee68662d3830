/** What the walk of encode offers to those who describe one kind of object. */

import type { GrowingList } from './parts.ts'
import type { Step } from './path.ts'
import type { EncodeOptions } from './types.ts'

/** What stands for a value in the head. */
export type Slot = unknown
export type Properties = Record<string, unknown>

export interface Walk {
  slot(value: unknown, step: Step): Slot
  /** {"$X": content} */
  tag(name: string, content: unknown): Slot
  /** For the slots of what may hold very many. */
  list(): GrowingList
  /** Counts characters that are in no slot. */
  weigh(characters: number): void
  /** An object of a user's class, or a function: what the caller's `reference` says, or a refusal. */
  instance(value: object): Slot
  /** Refuses a value, at the path where the walk stands, in words of its kind. */
  refuse(value: unknown, kind?: string): never
  refuseText(why: string, hint: string): never
  requireNoSymbols(value: object): void
  reference(value: object): ReturnType<NonNullable<EncodeOptions['reference']>>
  readonly shared: EncodeOptions['shared']
  /** Refusals that were passed over; undefined when each one is thrown. */
  readonly omitted: string[] | undefined
}
