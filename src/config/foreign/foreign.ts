import type { Profile } from '../../core/profile.ts'

/** A profile made of another program's configuration. */
export interface ForeignProfile {
  readonly name: string
  readonly profile: Partial<Profile>
  /** What it says that was not taken, and why, in words. */
  readonly left: readonly string[]
}

export type Tree = Readonly<Record<string, unknown>>

export const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The fields that are set: without undefined, null, '' and what holds nothing. */
export function given(fields: Tree): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) =>
        value !== undefined &&
        value !== null &&
        value !== '' &&
        !(Array.isArray(value) && value.length === 0) &&
        !(isTree(value) && Object.keys(value).length === 0),
    ),
  )
}
