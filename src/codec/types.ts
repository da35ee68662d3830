/** A class instance or function, named by the capture that took its code along. */
export type Reference =
  | { readonly kind: 'function'; readonly id: string }
  | {
      readonly kind: 'instance'
      readonly id: string
      /** What its class is called, for who reads it without the bundle. */
      readonly name?: string
      /** Own properties, encoded like any value. */
      readonly fields: Record<PropertyKey, unknown>
      readonly privates?: Record<string, unknown>
    }

export interface EncodeOptions {
  /** How the value is called in refusals: 'argument 1', "captured 'table'", 'result'. */
  root: string
  /**
   * Asked for each function and each object whose prototype is neither plain nor built in.
   * Undefined: it cannot travel, and is refused with its path.
   */
  reference?(value: object, path: string): Reference | undefined
  /**
   * Asked for each object before it is looked into, with how deep it lies: where its bytes are, as JSON, when they are not
   * to be among these. Undefined: they are.
   */
  elsewhere?(value: object, depth: number): unknown
  /** Why it cannot travel, and a way out, when the caller knows more than the codec. */
  explain?(value: unknown, path: string): { why: string; hint: string } | undefined
  /** Takes the SharedArrayBuffers that are met, in their order, for another thread; absent: they are refused. */
  shared?: SharedArrayBuffer[]
}

export interface DecodeOptions {
  /** The function with this id. */
  resolve?(id: string): Function
  /** A blank instance of the class with this id, and how to fill it once its fields are decoded. */
  instantiate?(
    id: string,
    name: string | undefined,
  ): {
    object: object
    fill(fields: Record<PropertyKey, unknown>, privates: Record<string, unknown>): void
  }
  /** The value that lies where the writer's `elsewhere` said. */
  elsewhere?(at: unknown): unknown
  /** The SharedArrayBuffers that the writer met. */
  shared?: readonly SharedArrayBuffer[]
  /** An error class by name chain, most derived first, for errors of user classes: {id?, names}. */
  errorClass?(ref: { id?: string; names: readonly string[] }): Function | undefined
}
