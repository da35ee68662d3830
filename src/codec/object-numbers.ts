/** A Map, and more of them: one ends at 2^24 entries. */
export class ObjectNumbers {
  #map = new Map<object, number>()
  readonly #full: Map<object, number>[] = []

  get(object: object): number | undefined {
    const number = this.#map.get(object)
    if (number !== undefined || this.#full.length === 0) return number
    return this.#full.find((map) => map.has(object))?.get(object)
  }

  set(object: object, number: number): void {
    if (this.#map.size === 2 ** 24) {
      this.#full.push(this.#map)
      this.#map = new Map()
    }
    this.#map.set(object, number)
  }

  delete(object: object): void {
    for (const map of [this.#map, ...this.#full]) map.delete(object)
  }
}
