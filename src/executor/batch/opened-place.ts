import pLimit from 'p-limit'
import type { AsyncQueue } from '../../core/async-queue.ts'
import type { Clock } from '../../core/clock.ts'
import { FarcallError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import type { NodeNeed } from '../../core/interpreter.ts'
import type { Profile } from '../../core/profile.ts'
import { blobName, type JobSpec } from '../../core/protocol.ts'
import type { Duration } from '../../core/resources.ts'
import type { JobStatus } from '../../core/status.ts'
import { parseDuration } from '../../core/units.ts'
import type { AfterJob, Scheduler } from '../../scheduler/scheduler.ts'
import type { Transport } from '../../transport/transport.ts'
import type { JobEvent } from '../executor.ts'
import type { Provider } from '../interpreter/provide.ts'
import { Canceler } from './cancel.ts'
import { findScript } from './find-scripts.ts'
import { parseFound } from './found.ts'
import { Leftovers } from './leftovers.ts'
import { askLimits, type Limits } from './limits.ts'
import { MemberFiles } from './member-files.ts'
import type { Persist } from './persist.ts'
import { type Place, probePlace } from './place.ts'
import { type RuntimeFile, readRuntime } from './runtime-file.ts'
import { RuntimeSupply } from './runtime-supply.ts'
import { adaptScheduler } from './site.ts'
import { Submitter } from './submitter.ts'
import type { TrackedJob } from './tracked-job.ts'
import { Watcher } from './watcher.ts'

/** What it takes to have jobs at a place. */
export interface PlaceParts {
  readonly profile: Profile
  readonly scheduler: Scheduler
  readonly transport: Transport
  readonly clock: Clock
  /** Of [0, 1): spreads the tries of those who failed together. */
  readonly random: () => number
  /** Where a Node comes from for machines that have none; without it none is sent. */
  readonly provider?: Provider
}

export interface PlaceOptions extends PlaceParts {
  /** What errors call the place. */
  readonly name: string
  readonly limits: Limits
  readonly events: AsyncQueue<JobEvent>
  readonly persist: Persist
  /** Aborts when nobody waits any more. */
  readonly stop: AbortSignal
  readonly script: (spec: JobSpec, at: ScriptPlace, after: readonly AfterJob[]) => string
  /** Frees space where there is little. */
  readonly makeRoom: () => Promise<unknown>
  /** The last submission of a job, or of one of its members; throws where it is not followed. */
  readonly tracked: (id: JobId, member?: number) => TrackedJob
}

/** What a job script is rendered with. */
export interface ScriptPlace {
  readonly scheduler: Scheduler
  readonly workdir: string
  readonly runtime: RuntimeFile
}

/** A place that answers: what is known of it, and those who send, watch, cancel and read there. */
export class OpenedPlace implements ScriptPlace {
  readonly transport: Transport
  /** In the dialect of the site. */
  readonly scheduler: Scheduler
  readonly facts: Place
  readonly openedAt: number
  readonly runtime: RuntimeFile
  /** Names of blobs that lie there already. */
  readonly known = new Set<string>()
  readonly leftovers: Leftovers
  readonly watcher: Watcher
  readonly canceler: Canceler
  readonly files: MemberFiles
  readonly submitter: Submitter
  readonly #supply: RuntimeSupply
  readonly #name: string
  readonly #events: AsyncQueue<JobEvent>
  readonly #persist: Persist

  constructor(options: PlaceOptions, scheduler: Scheduler, facts: Place, runtime: RuntimeFile) {
    const { profile, transport, clock, random, events, persist, limits, stop, tracked, makeRoom } = options
    const { workdir } = facts
    const watched = { transport, scheduler, workdir }
    this.transport = transport
    this.scheduler = scheduler
    this.facts = facts
    this.openedAt = clock.now()
    this.runtime = runtime
    this.#name = options.name
    this.#events = events
    this.#persist = persist
    if (facts.blobs.get(blobName(runtime.ref)) === runtime.ref.size) this.known.add(blobName(runtime.ref))
    this.leftovers = new Leftovers(transport, workdir)
    this.#supply = new RuntimeSupply(transport, facts, options.provider, persist)
    this.canceler = new Canceler(watched, persist)
    const graceMs = milliseconds('grace', profile.grace ?? (scheduler.immediate ? '2s' : '120s'))
    const workersOf = ({ concurrency, resources }: JobSpec) =>
      concurrency ?? Math.max(1, Math.floor(facts.cores / (resources.cores ?? 1)))
    const settings = {
      onNeed: (job: TrackedJob, need: NodeNeed) => this.#sendRuntime(job, need),
      ...(scheduler.immediate ? { workersOf } : {}),
      queryIntervalMs: milliseconds('queryInterval', profile.queryInterval ?? '10s'),
      filePollMs: milliseconds('filePoll', profile.filePoll ?? '2s'),
      graceMs,
    }
    this.watcher = new Watcher(watched, this.canceler, settings, clock, random, events)
    this.files = new MemberFiles({ ...watched, clock, persist, graceMs, stop, tracked })
    this.submitter = new Submitter({
      ...watched,
      profile,
      clock,
      persist,
      leftovers: this.leftovers,
      runtime,
      supply: this.#supply,
      limits,
      watcher: this.watcher,
      known: this.known,
      sending: pLimit(transport.concurrency),
      look: (ids) => this.look(ids),
      script: (spec, after) => options.script(spec, this, after),
      makeRoom,
      tell: (job, status) => this.#tell(job, status),
    })
  }

  get workdir(): string {
    return this.facts.workdir
  }

  /** What files say of jobs. */
  async look(ids: readonly JobId[]): Promise<ReturnType<typeof parseFound>> {
    const argv = ['sh', '-c', findScript, 'farcall', this.workdir, ...ids]
    const result = await this.#persist(() => this.transport.exec({ argv }))
    if (result.exitCode !== 0)
      throw new FarcallError(
        'COMMAND_FAILED',
        `${this.#name}: looking for jobs failed: ${result.stderr.trim()}`,
      )
    return parseFound(Buffer.from(result.stdout).toString('utf8'), this.scheduler)
  }

  /** Until it is there, or surely does not come, the member waits. */
  #sendRuntime(job: TrackedJob, need: NodeNeed): void {
    const { id } = job.spec
    const message = `${need.platform.host} has no Node that will do; one is sent`
    this.#events.push({ type: 'state', id, member: need.member, status: { state: 'ACTIVE', message } })
    this.#supply.on(job.spec, need).catch((cause: unknown) => {
      const options = { cause, transient: true }
      const error = new FarcallError(
        'COMMAND_FAILED',
        `${this.#name}: sending a Node: ${String(cause)}`,
        options,
      )
      this.#events.push({ type: 'trouble', error })
    })
  }

  /** Of an attempt that is not for all members, only those are told of. */
  #tell({ spec }: TrackedJob, status: JobStatus): void {
    const { id, only } = spec
    if (!only) this.#events.push({ type: 'state', id, status })
    else for (const member of only) this.#events.push({ type: 'state', id, member, status })
  }
}

/** Finds out what there is to know of a place before anything is sent there: three commands at once. */
export async function openPlace(options: PlaceOptions): Promise<OpenedPlace> {
  const { profile, transport, scheduler, clock, limits } = options
  const runtime = await readRuntime()
  const [facts, asked, spoken] = await Promise.all([
    probePlace(transport, profile.workdir ?? '$HOME/.farcall', [blobName(runtime.ref)]),
    askLimits(scheduler, transport),
    adaptScheduler({ profile, scheduler, transport }),
  ])
  limits.told(spoken, asked, clock.now())
  return new OpenedPlace(options, spoken, facts, runtime)
}

const milliseconds = (name: string, value: Duration): number => 1000 * parseDuration(value, name)
