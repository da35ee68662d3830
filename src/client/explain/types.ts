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

/** A package that stays an import: it has to be installed on the cluster. */
export interface External {
  readonly name: string
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
export interface Explanation {
  readonly name: string
  readonly form: 'decorator' | 'wrapper'
  readonly at: Position
  readonly refusals: readonly Refusal[]
  readonly captured: readonly Captured[]
  readonly files: readonly FilePart[]
  readonly packages: readonly Package[]
  /** Modules of Node itself. */
  readonly builtins: readonly string[]
  readonly externals: readonly External[]
  readonly warnings: readonly Warning[]
  readonly bundle?: { readonly bytes: number; readonly content: readonly Content[] }
}
