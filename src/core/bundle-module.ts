/** What a bundle exports to the runtime. */
export interface BundleModule {
  /** The function itself; a method gets `this` by `.apply`. */
  readonly main: (...args: unknown[]) => unknown
  /** Sets the captured variables, once, before main is called. `values` is what Snapshot.values() encoded. */
  readonly setValues: (values: unknown) => void
  /** The function or class with this id, for references in values, arguments and results. */
  readonly resolve: (id: string) => Function
  /** The id of a function or class of this bundle, for results; undefined: not one of ours. */
  readonly identify: (value: Function) => string | undefined
  /** A blank instance of a class (constructor not run) and how to fill it, #private fields too. */
  readonly instantiate: (id: string) => {
    object: object
    fill(fields: Record<PropertyKey, unknown>, privates: Record<string, unknown>): void
  }
}
