import type { Bundle, PackageChoices } from '../types.ts'

/** Where something stands in the user's source; line and column are 1-based. */
export interface Position {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** Why a function cannot travel, and the way out: what the call itself would say. */
export interface Refusal {
  readonly at?: Position
  readonly code: string
  readonly message: string
  readonly hint?: string
}

/**
 * How something of the program gets on the node. 'source': its text. 'value': as it is at the call.
 * 'value or initialiser': as it is at the call when it is data, else its initialiser runs again there.
 */
export type Travel = 'source' | 'value' | 'value or initialiser'

export interface Captured {
  readonly name: string
  readonly at: Position
  readonly how: Travel
}

export interface Named {
  readonly name: string
  readonly kind: string
  readonly how: Travel
  readonly at: Position
}

/** One of the user's files that gives something to the bundle. */
export interface FilePart {
  readonly file: string
  readonly names: readonly Named[]
}

export interface Package {
  readonly name: string
  readonly version?: string
  /** What is imported of it; '*' is all of it. */
  readonly imports: readonly string[]
}

/** What `parallel: 'auto'` makes of a loop. */
export interface Loop {
  readonly at: Position
  /** 'for…of', 'for', 'map', 'while', … */
  readonly form: string
  /** Whether its turns become tasks. */
  readonly split: boolean
  /** Why it runs where it stands, and what in it keeps it there. */
  readonly reason?: string
  readonly because?: Position
  /** What was taken for granted. */
  readonly warnings: readonly string[]
  /** Why `parallel: 'strict'` leaves it as it is, where 'auto' does not. */
  readonly strict?: { readonly reason?: string; readonly because?: Position }
}

/** What one marked function takes along, as far as the text says it. */
export interface Survey {
  readonly name: string
  readonly form: 'decorator' | 'wrapper'
  readonly at: Position
  readonly refusals: readonly Refusal[]
  readonly captured: readonly Captured[]
  readonly files: readonly FilePart[]
  readonly packages: readonly Package[]
  /** Modules of Node itself. */
  readonly builtins: readonly string[]
  readonly loops: readonly Loop[]
  /** The texts that go along: the user's own, with lines of ours before it and blanks for what stays. */
  readonly texts: readonly { readonly file: string; readonly text: string; readonly headerLines: number }[]
  /**
   * Bundles it. Absent when it is refused.
   * @throws CaptureError CAPTURE_EXTERNAL, BUNDLE_FAILED
   */
  readonly bundle?: (options: { node: number; packages?: PackageChoices }) => Promise<Bundle>
}
