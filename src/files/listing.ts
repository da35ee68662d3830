/**
 * A list that is there at once when awaited, and comes one by one in `for await`: with a million entries none is held.
 * Nothing is asked before one of the two. It can be used once.
 * @example
 * import { fs, type Listing } from 'farcall'
 *
 * const found: Listing<string> = fs.glob('*.json')
 * for await (const path of found) console.log(path)
 * console.log((await fs.glob('*.json')).length)
 */
export class Listing<T> implements AsyncIterable<T>, PromiseLike<T[]> {
  readonly #entries: () => AsyncIterable<T>
  readonly #order: (a: T, b: T) => number
  #all: Promise<T[]> | undefined

  /** @internal */
  constructor(entries: () => AsyncIterable<T>, order: (a: T, b: T) => number) {
    this.#entries = entries
    this.#order = order
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    return this.#entries()[Symbol.asyncIterator]()
  }

  // biome-ignore lint/suspicious/noThenProperty: awaiting it is what it is for
  then<A = T[], B = never>(
    onFulfilled?: ((value: T[]) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#all ??= this.#collect()
    return this.#all.then(onFulfilled, onRejected)
  }

  async #collect(): Promise<T[]> {
    const all: T[] = []
    for await (const entry of this.#entries()) all.push(entry)
    return all.sort(this.#order)
  }
}

export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
export const byPath = (a: { path: string }, b: { path: string }): number => byText(a.path, b.path)
