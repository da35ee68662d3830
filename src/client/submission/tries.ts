import type { JobSpec } from '../../core/protocol.ts'

interface Try {
  spec: JobSpec
  nativeId?: string
}

/** What the attempts of a job asked for, the last one that was for a member last. */
export class Tries {
  readonly #tries: Try[] = []

  get none(): boolean {
    return this.#tries.length === 0
  }

  /** An attempt that is made, or about to be. */
  add(spec: JobSpec): void {
    this.#tries.push({ spec })
  }

  /** Nothing of those before was submitted. */
  startAnew(spec: JobSpec): void {
    this.#tries.splice(0, this.#tries.length, { spec })
  }

  /** The scheduler has it, as this client or another one that follows the job asked for it. */
  made(spec: JobSpec, nativeId: string): void {
    const one = this.#tries.findLast((each) => each.spec.attempt === spec.attempt)
    if (one) Object.assign(one, { spec, nativeId })
  }

  /** How often it was submitted as a whole; what `retry` does is not counted. */
  get round(): number {
    return Math.max(1, ...this.#tries.map(({ spec }) => spec.round ?? 1))
  }

  get lastAttempt(): number {
    return Math.max(...this.#tries.map(({ spec }) => spec.attempt))
  }

  /** What was last asked for this member, and by which id the scheduler knows it; `nativeId` is the job's own. */
  lastOf(member: number, nativeId: string | undefined): Readonly<Try> | undefined {
    const last = this.#tries.findLast(({ spec }) => !spec.only || spec.only.includes(member))
    if (!last || last.nativeId !== undefined || nativeId === undefined || this.#tries.length > 1) return last
    return { ...last, nativeId }
  }
}
