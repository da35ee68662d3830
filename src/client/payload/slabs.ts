const slabSize = 2 ** 20

/** Many small byte strings in a few pieces of memory: a hundred thousand of their own are slow to make and to free. */
export class Slabs {
  #slab = Buffer.alloc(0)
  #used = 0

  /** The same bytes, which are not to be changed. */
  keep(bytes: Uint8Array): Uint8Array {
    const { byteLength } = bytes
    if (byteLength > slabSize / 16) return bytes
    if (this.#used + byteLength > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(slabSize)
      this.#used = 0
    }
    const kept = this.#slab.subarray(this.#used, this.#used + byteLength)
    kept.set(bytes)
    this.#used += byteLength
    return kept
  }
}
