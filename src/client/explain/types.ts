import type { Position, Survey } from '../../capture/survey/types.ts'

export type { Position }

/** A package that stays an import: it travels beside the bundle. */
export interface External {
  readonly name: string
  readonly version: string
  readonly why: string
}

export interface Warning {
  readonly at: Position
  readonly message: string
}

export interface Content {
  /** A file of the user's by its path, a package as `package:NAME`, or `farcall` for what we add. */
  readonly name: string
  readonly bytes: number
}

/** What one marked function takes along. */
export interface Explanation extends Omit<Survey, 'texts' | 'bundle'> {
  readonly externals: readonly External[]
  readonly warnings: readonly Warning[]
  readonly bundle?: { readonly bytes: number; readonly content: readonly Content[] }
}
