/** What keepers say while their functions run: how far these are, and which members of several have ended. */
import pLimit from 'p-limit'
import type { Clock } from '../../core/clock.ts'
import type { Api } from './api.ts'
import type { KeeperLog } from './container-log.ts'
import type { Pod } from './objects.ts'
import { viewOf } from './pod-status.ts'
import { keeperTail } from './results.ts'
import type { TrackedJob } from './tracked-job.ts'

/** Between two looks at one pod: at first and while there is news, and when there has been none for long. */
const [soonMs, latestMs] = [1_000, 15_000]
/** All pods together are looked at so often at most. */
const apartMs = 100
/** A function that writes much to stderr hides what it said before that. */
const lines = 100
/** What was written while the log was read may come with the next look: seconds. */
const overlap = 5

export class KeeperPoll {
  readonly #api: Api
  readonly #clock: Clock
  readonly #stop: AbortSignal
  /** Gives whether there was news. */
  readonly #onLog: (job: TrackedJob, lane: number, pod: Pod, log: KeeperLog) => Promise<boolean>
  readonly #limit = pLimit(4)
  #polled = 0

  constructor(
    api: Api,
    clock: Clock,
    stop: AbortSignal,
    onLog: (job: TrackedJob, lane: number, pod: Pod, log: KeeperLog) => Promise<boolean>,
  ) {
    this.#api = api
    this.#clock = clock
    this.#stop = stop
    this.#onLog = onLog
  }

  /** A pod whose function runs. */
  follow(job: TrackedJob, lane: number): void {
    if (job.listening.has(lane)) return
    job.listening.add(lane)
    this.#polled++
    void this.#poll(job, lane).finally(() => {
      this.#polled--
      job.listening.delete(lane)
    })
  }

  async #poll(job: TrackedJob, lane: number): Promise<void> {
    const stop = AbortSignal.any([this.#stop, job.finished.signal, job.released.signal])
    let since: number | undefined
    for (let wait = soonMs; ; ) {
      await this.#clock.sleep(Math.max(wait, apartMs * this.#polled), stop)
      const pod = job.pods.get(lane)
      if (stop.aborted || !pod || viewOf(pod).over || job.open(lane).length === 0) return
      let isNews = false
      const [now, seconds] = [
        this.#clock.now(),
        since && Math.ceil((this.#clock.now() - since) / 1000) + overlap,
      ]
      try {
        const log = await this.#limit(() => keeperTail(this.#api, job, pod, lines, seconds))
        since = now
        isNews = !stop.aborted && (await this.#onLog(job, lane, pod, log))
      } catch {
        // The watch of the pods tells what is in the way, and what was not heard now is heard later, at the end at the latest.
      }
      wait = isNews ? soonMs : Math.min(latestMs, wait * 1.5)
    }
  }
}
