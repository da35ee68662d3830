/** What a bundle exports to the runtime. */
export interface BundleModule {
  /** The function itself; a method gets `this` by `.apply`. */
  readonly main: (...args: unknown[]) => unknown
  /**
   * Sets the captured variables, once, before main is called, and defines what needs them for that. `decode` gives what
   * Snapshot.values() encoded, each time anew: what is defined may change it, and has done so at home already.
   */
  readonly setValues: (decode: () => unknown) => void
  /** The function or class with this id, for references in values, arguments and results. */
  readonly resolve: (id: string) => Function
  /**
   * The id of a function or class of this bundle, for results; undefined: not one of ours, or its instances cannot be made
   * at home. `within`: the reader has this bundle, too.
   */
  readonly identify: (value: Function, within?: boolean) => string | undefined
  /** `main` runs pieces of a function: it needs what runtime/loops.ts gives. */
  readonly splits?: boolean
  /** Values at module level that code changes and functions given to localMap use, by module; absent: none. */
  readonly getState?: () => Record<string, unknown>
  readonly setState?: (state: Record<string, unknown>) => void
  /** A blank instance of a class (constructor not run) and how to fill it, #private fields too. */
  readonly instantiate: (id: string) => {
    object: object
    fill(fields: Record<PropertyKey, unknown>, privates: Record<string, unknown>): void
  }
}
