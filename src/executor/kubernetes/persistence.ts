/** Tries again while what is in the way passes. */
export type Persist = <T>(work: () => Promise<T>) => Promise<T>
