/** One watch for all pods of the clients that are followed. */
import type { Clock } from '../../core/clock.ts'
import { type Api, ApiError, explained } from './api.ts'
import { labels, managed, podsPath } from './names.ts'
import type { List, Pod, WatchEvent } from './objects.ts'

export interface PodListener {
  changed(pod: Pod): void
  /** It is not there any more; as it was last seen. */
  deleted(pod: Pod): void
  /** All that there are were told of. */
  listed(): void
  trouble(error: unknown): void
}

/** The server ends a watch after this many seconds, so that one which has died unnoticed is missed. */
const watchSeconds = 240
const silenceMs = 1000 * (watchSeconds + 30)
const [firstWaitMs, longestWaitMs] = [250, 15_000]

export class PodWatch {
  readonly #api: Api
  readonly #clock: Clock
  readonly #listener: PodListener
  readonly #clients = new Set<string>()
  readonly #known = new Map<string, Pod>()
  #running: AbortController | undefined
  /** What was seen last; where a watch goes on from. */
  #version: string | undefined
  #wait = firstWaitMs

  constructor(api: Api, clock: Clock, listener: PodListener) {
    this.#api = api
    this.#clock = clock
    this.#listener = listener
  }

  /** Whether it is being watched now. */
  follow(client: string): void {
    if (this.#running && this.#clients.has(client)) return
    this.#clients.add(client)
    this.#running?.abort()
    this.#running = new AbortController()
    void this.#run(this.#running.signal)
  }

  /** Nobody is followed any more: no connection is held. */
  stop(): void {
    this.#running?.abort()
    this.#running = undefined
    this.#clients.clear()
    this.#known.clear()
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.#version = undefined
    while (!signal.aborted) {
      try {
        this.#version ??= await this.#list(signal)
        await this.#watch(signal)
        this.#wait = firstWaitMs
      } catch (error) {
        if (signal.aborted) return
        // 410: what has happened since is forgotten there; the list is asked for anew.
        if (error instanceof ApiError && error.status.code === 410) this.#version = undefined
        else {
          this.#listener.trouble(explained(error, 'watching pods'))
          await this.#clock.sleep(this.#wait, signal)
          this.#wait = Math.min(longestWaitMs, this.#wait * 2)
        }
      }
    }
  }

  get #selector(): string {
    return `${managed},${labels.client} in (${[...this.#clients].join(',')})`
  }

  get #path(): string {
    return podsPath(this.#api.access.namespace)
  }

  async #list(signal: AbortSignal): Promise<string | undefined> {
    const { metadata, items } = await listAll<Pod>(this.#api, this.#path, this.#selector, signal)
    const here = new Set(items.map((pod) => pod.metadata.uid))
    for (const [uid, pod] of this.#known) if (!here.has(uid)) this.#gone(pod)
    for (const pod of items) this.#seen(pod)
    this.#listener.listed()
    return metadata.resourceVersion
  }

  /** Until the server ends it. */
  async #watch(signal: AbortSignal): Promise<void> {
    const query = {
      watch: true,
      allowWatchBookmarks: true,
      labelSelector: this.#selector,
      resourceVersion: this.#version,
      timeoutSeconds: watchSeconds,
    }
    for await (const line of this.#api.lines(this.#path, { query, signal, timeoutMs: silenceMs })) {
      const { type, object } = line as WatchEvent<Pod>
      if (type === 'ERROR') throw new ApiError(object as never, 'GET', this.#path)
      this.#version = object.metadata.resourceVersion ?? this.#version
      if (type === 'DELETED') this.#gone(object)
      else if (type !== 'BOOKMARK') this.#seen(object)
      this.#wait = firstWaitMs
    }
  }

  #seen(pod: Pod): void {
    this.#known.set(pod.metadata.uid, pod)
    this.#listener.changed(pod)
  }

  #gone(pod: Pod): void {
    this.#known.delete(pod.metadata.uid)
    this.#listener.deleted(pod)
  }
}

/** By pages, as one list. */
export async function listAll<T>(
  api: Api,
  path: string,
  selector: string | { readonly labelSelector?: string; readonly fieldSelector?: string } = {},
  signal?: AbortSignal,
): Promise<List<T>> {
  const selected = typeof selector === 'string' ? { labelSelector: selector } : selector
  const items: T[] = []
  let next: string | undefined
  for (;;) {
    const query = { ...selected, limit: 500, continue: next }
    const page = await api.ask<List<T>>('GET', path, { query, ...(signal ? { signal } : {}) })
    items.push(...page.items)
    next = page.metadata.continue || undefined
    if (next === undefined) return { metadata: page.metadata, items }
  }
}
