/** What an item of a stream yields lies in a file of records, one for each value, in order: whoever reads it knows by position where he is. */

/** So many values, and the bytes of their records. */
export interface YieldPosition {
  readonly count: number
  readonly bytes: number
}

export const noYields: YieldPosition = { count: 0, bytes: 0 }

/** How much an item may yield ahead of who reads it, until it waits. */
export interface StreamWindow {
  /** Values. */
  readonly items: number
  /** Bytes. */
  readonly bytes: number
}

export const defaultWindow: StreamWindow = { items: 1_000, bytes: 64_000_000 }

/** How far an item is with what it yields. */
export interface YieldReport extends YieldPosition {
  readonly item: number
  /** From this value on they are others than in an earlier attempt. */
  readonly differs?: number
}
