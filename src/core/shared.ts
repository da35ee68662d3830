import type { BlobRef } from './protocol.ts'

/**
 * What `share` gives: a value that many calls name and no call carries.
 * @example
 * import { cluster, type Shared, share } from 'farcall'
 *
 * const look = cluster((table: Shared<number[]>, at: number) => table.value[at])
 * console.log(await look(share([1, 1, 2, 3, 5]), 4)) // 5
 */
export interface Shared<T> {
  /**
   * The value. In a job it is read when this is first asked for, once for the process that runs the items, and frozen, so
   * that no item sees what another one did to it. Binary data, Maps, Sets and Dates cannot be frozen: copy them before you
   * change them.
   */
  readonly value: T
}

/** The blob of each handle of this process. */
const blobs = new WeakMap<object, BlobRef>()

export class SharedValue<T> implements Shared<T> {
  readonly #read: () => T

  /** `read` is asked at each use. */
  constructor(blob: BlobRef, read: () => T) {
    this.#read = read
    blobs.set(this, blob)
  }

  get value(): T {
    return this.#read()
  }

  get [Symbol.toStringTag](): string {
    return 'farcall.Shared'
  }
}

/** For the codec: a handle travels as the name of its blob. */
export function sharedElsewhere(value: object): { blob: BlobRef } | undefined {
  const blob = sharedBlob(value)
  return blob && { blob }
}

/** Where the content of a handle lies; undefined for anything else. */
export function sharedBlob(value: object): BlobRef | undefined {
  return blobs.get(value)
}
