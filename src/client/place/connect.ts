import { ConfigError, TransportError } from '../../core/errors.ts'
import type { Duration } from '../../core/resources.ts'
import { parseDuration } from '../../core/units.ts'
import { clusterFiles } from '../../executor/files/cluster-files.ts'
import type { ClusterFiles } from '../../files/types.ts'
import type { Transport } from '../../transport/transport.ts'
import { type JobFilter, jobs, type RecordedJob } from '../jobs/jobs.ts'
import { settingsFor } from '../options/settings.ts'
import type { Session } from '../session/session.ts'
import { leaveSession, sessionFor } from '../session/sessions.ts'
import {
  type ClusterQueue,
  type ClusterResources,
  type QueueFilter,
  queueOf,
  type ResourceFilter,
  resourcesOf,
} from './place-resources.ts'

/** Options of `cluster.run`. */
export interface RunOptions {
  /** What the command reads. */
  stdin?: string | Uint8Array
  /** The command is ended after this time, '30s' or a number of seconds; default: none. */
  timeout?: Duration
  /** Ends the command. */
  signal?: AbortSignal
}

/** What a command came to. */
export interface CommandOutput {
  /** 127: no such program; 126: it may not be run; 128 + n: ended by signal n. */
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** Longer than a timer of Node can be set is for ever. */
const neverMs = 2 ** 31 - 1

/**
 * An open connection to the machine of a profile: commands and files there. `connect` makes it.
 * @example
 * import { type Cluster, connect } from 'farcall'
 *
 * async function freeSpace(cluster: Cluster) {
 *   return (await cluster.run(['df', '-h', '.'])).stdout
 * }
 * await using cluster = await connect()
 * console.log(await freeSpace(cluster))
 */
export class Cluster implements AsyncDisposable {
  /** The profile's name. */
  readonly profile: string
  readonly #fs: ClusterFiles | undefined
  readonly #session: Session
  readonly #transport: Transport | undefined
  #closed: Promise<void> | undefined

  /** @internal */
  constructor(profile: string, session: Session, transport: Transport | undefined) {
    this.profile = profile
    this.#session = session
    this.#transport = transport
    session.guests++
    this.#fs = transport && clusterFiles(transport, session.profile.host === undefined)
  }

  /** Its files. Relative paths begin at the home folder there. @throws ConfigError OPTION_INVALID where there is no machine */
  get fs(): ClusterFiles {
    return this.#fs ?? noMachine(this.name)
  }

  /** For messages: 'me@login.hpc.edu:22', 'local'. */
  get name(): string {
    return this.#transport?.name ?? this.#session.executor.name
  }

  /**
   * Runs a program in the home folder there. One that fails is no error: look at `exitCode`. For pipes and variables:
   * `['sh', '-c', 'squeue --me | wc -l']`.
   * @throws (by rejecting) TransportError COMMAND_TIMEOUT, CONNECTION_LOST; ConfigError UNIT_INVALID
   * @example
   * import { connect } from 'farcall'
   *
   * await using cluster = await connect()
   * const { exitCode, stdout } = await cluster.run(['uname', '-a'], { timeout: '30s' })
   * console.log(exitCode, stdout)
   */
  async run(command: readonly string[], options: RunOptions = {}): Promise<CommandOutput> {
    const { stdin, timeout, signal } = options
    if (!Array.isArray(command) || !command.every((word) => typeof word === 'string'))
      throw new ConfigError(
        'OPTION_INVALID',
        `run: expected a list of words, got ${JSON.stringify(command)}`,
        {
          hint: "run(['ls', '-l']); for a line of shell: run(['sh', '-c', '…'])",
        },
      )
    if (this.#closed) throw closed(this.name)
    const transport = this.#transport ?? noMachine(this.name)
    const timeoutMs = timeout === undefined ? neverMs : parseDuration(timeout, 'timeout') * 1000
    const asked = { argv: command, ...(stdin === undefined ? {} : { stdin }) }
    const result = await transport.exec(asked, {
      timeoutMs: Math.min(timeoutMs, neverMs),
      ...(signal ? { signal } : {}),
    })
    return {
      exitCode: result.exitCode,
      stdout: Buffer.from(result.stdout).toString('utf8'),
      stderr: result.stderr,
    }
  }

  /** The jobs of this profile that this machine has on record. */
  jobs(filter: Omit<JobFilter, 'profile'> = {}): Promise<RecordedJob[]> {
    return jobs({ ...filter, profile: this.profile })
  }

  /**
   * What there is to run on, by partition or queue: nodes, cores, memory and GPUs, total, used and free. What is on nodes
   * that are down, drained or reserved is not free. The scheduler is asked at most every `queryInterval` of the profile.
   *
   * @throws (by rejecting) ConfigError OPTION_INVALID for a partition that is not there; FarcallError COMMAND_FAILED,
   * REQUEST_FORBIDDEN, SCHEDULER_MISSING; TransportError
   * @example
   * import { connect } from 'farcall'
   *
   * await using cluster = await connect()
   * for (const { name, cores, gpus } of (await cluster.resources()).partitions)
   *   console.log(name, cores?.free, gpus?.free)
   */
  async resources(filter: ResourceFilter = {}): Promise<ClusterResources> {
    if (this.#closed) throw closed(this.name)
    return resourcesOf(this.#session, this.profile, filter)
  }

  /**
   * The jobs that wait and run there, from whichever program: everybody's, as far as the site shows them, or your own.
   *
   * @throws (by rejecting) ConfigError OPTION_INVALID where there is no queue; FarcallError COMMAND_FAILED,
   * REQUEST_FORBIDDEN, SCHEDULER_MISSING; TransportError
   * @example
   * import { connect } from 'farcall'
   *
   * async function waiting(profile: string) {
   *   await using cluster = await connect(profile)
   *   return (await cluster.queue({ mine: true })).jobs.filter(({ status }) => status.state === 'QUEUED')
   * }
   */
  async queue(filter: QueueFilter = {}): Promise<ClusterQueue> {
    if (this.#closed) throw closed(this.name)
    return queueOf(this.#session, this.profile, filter)
  }

  /** Closes the connection, unless a job that is awaited here, or another open cluster, uses it. */
  close(): Promise<void> {
    this.#closed ??= leaveSession(this.#session)
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Of a cluster that is reached by an API. */
function noMachine(name: string): never {
  throw new ConfigError('OPTION_INVALID', `${name} has no machine to log in to`, {
    hint: 'files and commands need a profile with `host`, or one that runs here',
  })
}

function closed(name: string): TransportError {
  return new TransportError('CONNECTION_LOST', `${name}: this cluster was closed`, {
    hint: 'connect() opens it again',
  })
}

/**
 * Opens the machine of a profile, or this one for a profile without host: commands and files there. It shares its
 * connection with the jobs of the same profile.
 *
 * @throws (by rejecting) ConfigError, TransportError
 * @example
 * import { connect } from 'farcall'
 *
 * await using cluster = await connect() // or connect('hpc')
 * await cluster.fs.write('farcall-notes/today.txt', 'began')
 * for (const { name, size } of await cluster.fs.ls('farcall-notes')) console.log(name, size)
 * await cluster.fs.remove('farcall-notes', { recursive: true })
 */
export async function connect(profile?: string): Promise<Cluster> {
  const settings = await settingsFor(profile)
  const session = await sessionFor(settings.profile)
  const { executor } = session
  const cluster = new Cluster(settings.name, session, executor.transport)
  try {
    await (executor.transport ?? executor).open()
    return cluster
  } catch (error) {
    await cluster.close()
    throw error
  }
}
