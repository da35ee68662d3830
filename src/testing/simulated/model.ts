import type { Knobs } from './knobs.ts'

export type Cause = 'time' | 'memory' | 'deleted' | 'node' | 'preempted' | 'dependency'

/** Where a member of a job stands since a time. */
export interface Phase {
  readonly at: number
  readonly state: 'queued' | 'held' | 'running' | 'ended'
  readonly exitCode?: number
  readonly signal?: number
  readonly cause?: Cause
}

export interface Member {
  /** Its number in the array; undefined: the job is no array. */
  readonly index: number | undefined
  readonly phases: Phase[]
  pid?: number
  startedAt?: number
  peakMemory: number
  cpuSeconds: number
  restarts: number
  /** Why it is being ended. */
  doom?: Cause
}

export interface Dependency {
  readonly kind: 'afterok' | 'afternotok' | 'afterany' | 'after'
  readonly number: number
}

/** What a dialect has read from a submission. */
export interface Asked {
  readonly name: string
  readonly cores: number
  readonly memoryBytes?: number
  readonly timeSeconds?: number
  readonly array?: { readonly indexes: readonly number[]; readonly throttle?: number }
  readonly depends: readonly Dependency[]
  readonly held?: boolean
  readonly requeue?: boolean
  /** Appended to, stdout and stderr alike. */
  readonly output?: string
  readonly queue?: string
  /** Of the submission, as the scheduler shows it. */
  readonly submitArgs: string
  /** The text, as it was when it was submitted. */
  readonly script: string
  readonly shell?: string
  /** What the job's environment has of the one that submitted. */
  readonly env: Readonly<Record<string, string>>
}

export interface Job extends Asked {
  readonly number: number
  readonly user: string
  readonly uid: number
  readonly submittedAt: number
  readonly members: readonly Member[]
}

/** How a member was at a time; undefined: it was not there yet. */
export function phaseAt(member: Member, time: number): Phase | undefined {
  return member.phases.findLast(({ at }) => at <= time)
}

export const phaseOf = (member: Member): Phase => member.phases.at(-1)!

export const isOver = (job: Job): boolean => job.members.every((member) => phaseOf(member).state === 'ended')

/** What a command was called with, and where. */
export interface Call {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly stdin: string
  readonly user: string
  readonly uid: number
}

export interface Reply {
  readonly exitCode: number
  readonly stdout?: string
  readonly stderr?: string
}

/** What a dialect may ask of the scheduler behind it. */
export interface Cluster {
  readonly knobs: Knobs
  readonly jobs: ReadonlyMap<number, Job>
  /** The time that answers are of. */
  readonly asOf: number
  submit(asked: Asked, call: Call): Job
  /** Ends members, all without `indexes`; false: there was nothing to end. */
  end(job: Job, indexes: readonly number[] | undefined, cause: Cause): boolean
  release(job: Job): void
}

/** The words and commands of one scheduler. */
export interface Dialect {
  readonly commands: readonly string[]
  run(call: Call, cluster: Cluster): Reply
  /** What a job finds in its environment. */
  environment(job: Job, member: Member): Record<string, string>
  /** What every command says when the server does not answer. */
  readonly outage: Reply
  /** What a submission says whose answer did not come. */
  readonly lostAnswer: Reply
}

/** A call that was wrong: words for stderr. */
export class Refused extends Error {
  readonly exitCode: number
  constructor(words: string, exitCode = 1) {
    super(words)
    this.exitCode = exitCode
  }
}
