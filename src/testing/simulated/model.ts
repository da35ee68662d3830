import type { Knobs } from './knobs.ts'

export type Cause =
  | 'time'
  | 'memory'
  | 'deleted'
  | 'node'
  | 'preempted'
  | 'dependency'
  /** Somebody asked for another run. */
  | 'requeued'
  /** It could not be started. */
  | 'launch'

/** Where a member of a job stands since a time. */
export interface Phase {
  readonly at: number
  readonly state: 'queued' | 'held' | 'running' | 'ended'
  readonly exitCode?: number
  readonly signal?: number
  readonly cause?: Cause
  /** What went wrong. */
  readonly why?: string
}

export interface Member {
  /** Its number in the array; undefined: the job is no array. */
  readonly index: number | undefined
  readonly phases: Phase[]
  pid?: number
  /** A number of its own, where the dialect gives one. */
  number?: number
  startedAt?: number
  /** Bytes in use at once: resident, and of address space. */
  peakMemory: number
  peakVirtual: number
  cpuSeconds: number
  restarts: number
  /** Why it is being ended. */
  doom?: Cause
  isWarned?: boolean
}

export interface Dependency {
  readonly kind: 'afterok' | 'afternotok' | 'afterany' | 'after'
  readonly number: number
  /** Of an array, one member. */
  readonly index?: number
}

/** What a dialect has read from a submission. */
export interface Asked {
  readonly name: string
  readonly cores: number
  /** Of resident memory, of all processes. */
  readonly memoryBytes?: number
  /** Of address space: of all processes, and of each of them. */
  readonly virtualBytes?: number
  readonly timeSeconds?: number
  /** A signal that comes while it runs; by default to all of its processes. */
  readonly warning?: {
    readonly signal: NodeJS.Signals
    readonly afterSeconds: number
    readonly toShellOnly?: boolean
  }
  readonly array?: { readonly indexes: readonly number[]; readonly throttle?: number }
  readonly depends: readonly Dependency[]
  readonly held?: boolean
  readonly requeue?: boolean
  /** Of stdout and stderr alike. */
  readonly output?: string
  /** Whether what the output held is kept; default true. */
  readonly appends?: boolean
  /** Where it starts; default: HOME. */
  readonly cwd?: string
  readonly queue?: string
  /** What of it the scheduler's accounting says. */
  readonly category?: string
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

/** Whether it was over, as far as was seen at a time. */
export const wasOver = (job: Job, time: number): boolean =>
  job.members.every((member) => phaseAt(member, time)?.state === 'ended')

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
  /** What the command becomes instead. */
  readonly exec?: readonly string[]
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
  /** Has members wait that have not begun; and lets them go on. */
  hold(job: Job): void
  release(job: Job): void
  /** A number that no job has. */
  takeNumber(): number
}

/** How a member is started. */
export interface Launch {
  /** What it finds in its environment beside what its job brought along. */
  readonly env: Readonly<Record<string, string>>
  readonly output?: string
}

/** The words and commands of one scheduler. */
export interface Dialect {
  run(call: Call, cluster: Cluster): Reply
  launch(job: Job, member: Member, cluster: Cluster): Launch
  /** Ends that come by SIGKILL, without SIGTERM before. */
  readonly killsAtOnce: ReadonlySet<Cause>
  /** What becomes of a job whose output cannot be opened: it fails, it waits for somebody, it runs without. */
  readonly withoutOutput: 'fails' | 'waits' | 'runs'
  /** Whether a job is ended whose dependency can never be satisfied. */
  readonly endsHopeless: boolean
  /** Exit codes by which a job asks for another run, and for somebody to look at it. */
  readonly exitCodes?: { readonly again: number; readonly error: number }
  /** What a command says when the server does not answer. */
  outage(call: Call): Reply
  /** What a submission says whose answer did not come. */
  readonly lostAnswer: Reply
  /** A submission that is refused in these words. */
  refusal(words: string): Reply
  /** Commands that only ask. */
  readonly questions: ReadonlySet<string>
}

/** A call that was wrong: words for stderr. */
export class Refused extends Error {
  readonly exitCode: number
  constructor(words: string, exitCode = 1) {
    super(words)
    this.exitCode = exitCode
  }
}
