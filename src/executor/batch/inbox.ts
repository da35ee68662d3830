import type { Clock } from '../../core/clock.ts'
import { paths } from '../../core/protocol.ts'
import type { CommandResult } from '../../core/shell.ts'
import type { Alarm } from './alarm.ts'
import { planLooks } from './look-plan.ts'
import { watchScript } from './member-scripts.ts'
import { type InboxContent, parseNotices } from './notices.ts'
import { placeFailed } from './place.ts'
import type { WatchedPlace } from './queue.ts'
import type { TrackedJob } from './tracked-job.ts'
import type { WatchedJobs } from './watched-jobs.ts'

/** Of a stream whose values came so recently the next ones are soon to come. */
const flowMs = 2_000

/** Notices of members that ended, and of how far others are. Each look is one command, however many jobs there are. */
export class Inbox {
  readonly #place: WatchedPlace
  readonly #jobs: WatchedJobs
  readonly #filePollMs: number
  readonly #clock: Clock
  readonly #recorded = new Set<string>()
  /** When values of a stream came last. */
  #flowed = Number.NEGATIVE_INFINITY

  constructor(place: WatchedPlace, jobs: WatchedJobs, filePollMs: number, clock: Clock) {
    this.#place = place
    this.#jobs = jobs
    this.#filePollMs = filePollMs
    this.#clock = clock
  }

  /** Its notice may go, also when the end was found before the notice was. */
  recorded(job: TrackedJob, member: number, attempt: number): void {
    this.#recorded.add(pathOf(job.spec.client, job.spec.id, attempt, member))
  }

  /** Notices that are recorded and still lie in an inbox. */
  takeRecorded(): string[] {
    const recorded = [...this.#recorded]
    this.#recorded.clear()
    return recorded
  }

  /** Waits for notices, for a while. `idle`: nothing is watched any more; `wake`: there is a new job to look at. */
  async look(idle: Alarm, wake: Alarm): Promise<InboxContent> {
    const { scheduler, transport, workdir } = this.#place
    const now = this.#clock.now()
    const { step, looks: planned } = planLooks(now - this.#jobs.youngest(), {
      immediate: scheduler.immediate === true,
      filePollMs: this.#filePollMs,
      flowing: now - this.#flowed < flowMs,
    })
    // A server that gives one channel must not have it held by a wait.
    const looks = transport.concurrency > 1 ? planned : 1
    const recorded = this.takeRecorded()
    const options = [String(step / 1000), String(looks), recorded.length > 0 ? 'yes' : '']
    const argv = ['sh', '-c', watchScript, 'farcall', workdir, ...options, ...this.#places()]
    const stdin = recorded.map((path) => `${path}\n`).join('')
    const { signal } = idle
    const woken = wake.signal
    let result: CommandResult
    try {
      result = await transport.exec({ argv, stdin }, { signal })
      if (result.exitCode !== 0) throw placeFailed(result, transport.name)
    } catch (error) {
      for (const path of recorded) this.#recorded.add(path)
      if (signal.aborted) return { ends: [], reports: [], yields: [], needs: [] }
      throw error
    }
    const content = parseNotices(result.stdout)
    const { ends, reports, yields, needs } = content
    for (const { end } of ends) {
      const client = this.#clientOf(end)
      if (client) this.#recorded.add(pathOf(client, end.id, end.attempt, end.member))
    }
    for (const report of reports) {
      const client = this.#clientOf(report)
      if (client) this.#recorded.add(`${paths.inbox(client)}/${paths.progress(report)}`)
    }
    for (const { news } of yields) {
      const client = this.#clientOf(news)
      if (client) this.#recorded.add(`${paths.inbox(client)}/${paths.yields(news)}`)
    }
    if (yields.length > 0) this.#flowed = this.#clock.now()
    for (const need of needs) {
      const client = this.#clientOf(need)
      // It is written again as long as the member waits.
      if (client) this.#recorded.add(`${pathOf(client, need.id, need.attempt, need.member)}.need`)
    }
    if (ends.length + needs.length + yields.length === 0 && looks === 1) await this.#clock.sleep(step, woken)
    return content
  }

  #clientOf(notice: Parameters<WatchedJobs['ofEnd']>[0]): string | undefined {
    return this.#jobs.ofEnd(notice)?.spec.client ?? this.#jobs.client
  }

  /** Our own inbox as a whole; of another client's only what concerns the job that we took over. */
  #places(): Set<string> {
    const places = new Set<string>()
    for (const { spec, adopted } of this.#jobs.active)
      places.add(`${paths.inbox(spec.client)}/${adopted ? `${spec.id}.` : 'f'}`)
    return places
  }
}

function pathOf(client: string, id: string, attempt: number, member: number): string {
  return `${paths.inbox(client)}/${paths.notice(id, attempt, member)}`
}
