import { SubmitError } from '../../core/errors.ts'
import type { Scheduler } from '../../scheduler/scheduler.ts'
import type { Transport } from '../../transport/transport.ts'
import type { LearnedLimits, SiteLimits } from '../learned-limits.ts'

interface ToldLimits extends SiteLimits {
  readonly scriptBytes?: number
}

/** A site that does not answer has the scheduler's own default; a submission will tell if that is wrong. */
export async function askLimits(
  { array, scriptSize }: Scheduler,
  transport: Pick<Transport, 'exec'>,
): Promise<ToldLimits> {
  if (!array?.sizeLimit) return {}
  const answer = await transport.exec(array.sizeLimit())
  const scriptBytes = scriptSize?.parse(answer)
  return {
    ...(scriptBytes === undefined ? {} : { scriptBytes }),
    ...defined('maxMembers', array.parseSizeLimit?.(answer)),
    ...defined('maxSubmitted', array.parseSubmitLimit?.(answer)),
  }
}

/** Limits of a place: as it told them, and as it refused. */
export class Limits {
  #now: SiteLimits = {}
  #learned: SiteLimits = {}
  #isNews = false
  #scriptBytes: number | undefined
  readonly #kept: LearnedLimits | undefined

  constructor(kept: LearnedLimits | undefined) {
    this.#kept = kept
  }

  get traits(): SiteLimits {
    return this.#now
  }

  /** Bytes that a script may have; undefined: no limit is known. */
  get scriptBytes(): number | undefined {
    return this.#scriptBytes
  }

  /** `scheduler`: the dialect of the site. */
  told({ array, scriptSize }: Scheduler, told: ToldLimits, now: number): void {
    this.#scriptBytes = told.scriptBytes ?? scriptSize?.usual
    this.#learned = this.#kept?.at(now) ?? {}
    const { maxMembers = array?.defaultSize, maxSubmitted } = told
    this.#now = {
      ...least('maxMembers', maxMembers, this.#learned),
      ...least('maxSubmitted', maxSubmitted, this.#learned),
      ...least('maxSubmissions', array?.maxSubmissions, this.#learned),
    }
  }

  /** Of a refusal. Where it names no number, an array of half as many members is tried next. */
  refused({ array }: Scheduler, error: unknown, members: number): void {
    if (!(error instanceof SubmitError)) return
    const size = members > 1 ? array?.refusedSize?.(error.message) : undefined
    const most = size && Math.max(1, Math.min(size.most ?? Math.floor(members / 2), members - 1))
    const news = {
      ...defined('maxMembers', most),
      ...defined('maxSubmissions', array?.refusedSubmissions?.(error.message)),
    }
    if (Object.keys(news).length === 0) return
    this.#learned = { ...this.#learned, ...news }
    this.#now = { ...this.#now, ...news }
    this.#isNews = true
  }

  /** What was learned proves right: it is kept for the next program. */
  taken(now: number): void {
    if (this.#isNews) this.#kept?.note(this.#learned, now)
    this.#isNews = false
  }
}

function least<K extends keyof SiteLimits>(key: K, told: number | undefined, learned: SiteLimits) {
  const limit = Math.min(told ?? Number.POSITIVE_INFINITY, learned[key] ?? Number.POSITIVE_INFINITY)
  return defined(key, told === undefined && learned[key] === undefined ? undefined : limit)
}

function defined<K extends keyof SiteLimits>(key: K, value: number | undefined): SiteLimits {
  return value === undefined ? {} : { [key]: value }
}
