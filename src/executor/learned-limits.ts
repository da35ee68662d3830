import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Profile } from '../core/profile.ts'
import type { ExecutorTraits } from './executor.ts'

export type SiteLimits = Pick<ExecutorTraits, 'maxMembers' | 'maxSubmitted' | 'maxSubmissions'>

/** A site may raise what it refused before: after so long it is asked again by what is submitted. */
const rememberedMs = 24 * 3600 * 1000

/** What refusals have told of a place's limits, for the next program too: a file of farcall's cache. */
export class LearnedLimits {
  readonly #path: string

  constructor(cacheDir: string, { host, port, user, scheduler }: Profile) {
    const hash = createHash('sha256').update(JSON.stringify([host, port, user, scheduler]))
    this.#path = join(cacheDir, 'limits', hash.digest('hex').slice(0, 32))
  }

  at(now: number): SiteLimits {
    try {
      const { time, ...limits } = JSON.parse(readFileSync(this.#path, 'utf8')) as SiteLimits & {
        time: number
      }
      return now - time < rememberedMs ? limits : {}
    } catch {
      return {} // nothing was learned here, or what was written is damaged: it is learned again
    }
  }

  note(limits: SiteLimits, now: number): void {
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
      const temporary = `${this.#path}.${process.pid}`
      writeFileSync(temporary, JSON.stringify({ ...limits, time: now }), { mode: 0o600 })
      renameSync(temporary, this.#path)
    } catch {
      // a cache that cannot be written costs the next program one refused submission
    }
  }
}
