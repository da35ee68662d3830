/** How a loop changes a variable of the function around it. */
export type Container = 'push' | 'index' | 'add' | 'set'

/** `total += e` and its like: the turn's part is e, and this is what is done with it. */
export interface Fold {
  readonly name: string
  readonly op: string
}

/** One loop that may be split. */
export interface LoopPlan {
  /** 'sweep.ts:14' */
  readonly place: string
  readonly form: 'for' | 'map'
  /** Variables of the function that its body reads, or whose changes it makes. */
  readonly body: readonly string[]
  /** Variables that say what it goes over. */
  readonly head: readonly string[]
  readonly containers: Readonly<Record<string, Container>>
  readonly folds: readonly Fold[]
  /** The callback gives promises, and Promise.all around it waits for them. */
  readonly awaits: boolean
  readonly self: boolean
}

/** What of a function runs apart: segment 0, loop 0, segment 1, loop 1, … */
export interface SplitPlan {
  readonly loops: readonly LoopPlan[]
  /** Whether a segment does next to nothing: then it needs no job. */
  readonly light: readonly boolean[]
}
