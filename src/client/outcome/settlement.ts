import { type Deferred, deferred } from '../../core/deferred.ts'

/**
 * How an item ends. Its promise is made when it is first asked for: of a large map hardly anybody asks for those of single
 * items, and a hundred thousand of them would take as much memory as what they give.
 */
export class Settlement implements Deferred<unknown> {
  #outcome: PromiseSettledResult<unknown> | undefined
  #waited: Deferred<unknown> | undefined

  /** Undefined until it ends. */
  get outcome(): PromiseSettledResult<unknown> | undefined {
    return this.#outcome
  }

  get promise(): Promise<unknown> {
    if (!this.#waited) {
      this.#waited = deferred()
      // Jobs and arrays made from it report the failure; an item alone does not.
      this.#waited.promise.catch(() => undefined)
      this.#tell()
    }
    return this.#waited.promise
  }

  resolve(value: unknown): void {
    this.#end({ status: 'fulfilled', value })
  }

  reject(reason: unknown): void {
    this.#end({ status: 'rejected', reason })
  }

  #end(outcome: PromiseSettledResult<unknown>): void {
    if (this.#outcome) return
    this.#outcome = outcome
    this.#tell()
  }

  #tell(): void {
    if (this.#outcome?.status === 'fulfilled') this.#waited?.resolve(this.#outcome.value)
    else if (this.#outcome) this.#waited?.reject(this.#outcome.reason)
  }
}
