import pLimit from 'p-limit'
import type { Api } from './api.ts'
import type { Pod } from './objects.ts'
import type { StreamedFile } from './payload.ts'
import type { Persist } from './persistence.ts'
import type { TrackedJob } from './tracked-job.ts'
import { upload } from './upload.ts'

/** Sends what a Secret has no room for into pods that wait for it, once into each. */
export class Sending {
  readonly #api: Api
  readonly #persist: Persist
  readonly #stop: AbortSignal
  readonly #limit = pLimit(4)
  readonly #files = new WeakMap<TrackedJob, readonly StreamedFile[]>()

  constructor(api: Api, persist: Persist, stop: AbortSignal) {
    this.#api = api
    this.#persist = persist
    this.#stop = stop
  }

  prepare(job: TrackedJob, files: readonly StreamedFile[]): void {
    if (files.length > 0) this.#files.set(job, files)
  }

  /** Resolves to why it could not be sent; whoever else follows the job has nothing to send. */
  async send(job: TrackedJob, pod: Pod): Promise<Error | undefined> {
    const files = this.#files.get(job)
    if (!files || job.sending.has(pod.metadata.uid)) return undefined
    job.sending.add(pod.metadata.uid)
    const { namespace } = this.#api.access
    const send = () => upload(this.#api, namespace, pod.metadata.name, files, this.#stop)
    try {
      await this.#limit(() => this.#persist(send))
      return undefined
    } catch (error) {
      // Told as how its members ended, unless nobody waits any more.
      return this.#stop.aborted ? undefined : (error as Error)
    }
  }
}
