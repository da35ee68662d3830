import type { PartitionCapacity } from '../core/capacity.ts'
import type { Profile } from '../core/profile.ts'
import type { ParentJob } from '../core/protocol.ts'
import type { QueuedJobs } from '../core/queued-job.ts'
import type { ResolvedResources } from '../core/resources.ts'
import type { Command, CommandResult } from '../core/shell.ts'
import type { JobStatus } from '../core/status.ts'
import type { Measured } from '../core/usage.ts'

/** What a directive line can say: the resources, and what the executor adds. */
export interface Directives extends ResolvedResources {
  name?: string
  /** Where the scheduler puts the script's own output, an absolute path; all members share it. */
  log?: string
  /** Members 0 to size - 1, or only some of them. */
  array?: { size: number; concurrency?: number; only?: readonly number[] }
  /** Jobs that are to be over before it starts, however they end. */
  after?: readonly AfterJob[]
}

export interface AfterJob {
  readonly nativeId: string
  /** Of an array: these members; absent: all. */
  readonly members?: readonly number[]
}

/**
 * How one directive is written. A function gives its line or lines without the prefix;
 * 'composed' is written by `compose` or by the template; 'unsupported' is refused when asked for.
 */
export type Directive<T> =
  | ((value: T, all: Directives) => string | readonly string[])
  | 'composed'
  | 'unsupported'

/** Total on purpose: a new field makes the compiler visit every scheduler. */
export type DirectiveTable = {
  readonly [K in keyof Required<Directives>]: Directive<NonNullable<Directives[K]>>
}

/** A dialect: data and pure functions. Text in, value out; nothing here runs a command or reads a clock. */
export interface Scheduler {
  readonly name: string
  readonly aliases?: readonly string[]
  /** File in templates/. */
  readonly template: string
  /** '#SBATCH' */
  readonly prefix: string
  readonly directives: DirectiveTable
  /** Lines that several resources make together. */
  readonly compose?: (all: Directives) => readonly string[]
  /** What the lines do not say by themselves, for whoever reads the script. */
  readonly notes?: (all: Directives) => readonly string[]
  /** What differs from site to site in how this dialect is spoken. */
  readonly site?: {
    ask(): Command
    /** The dialect of a site, by its answer and what the profile says instead; without an answer as it usually is. */
    adapt(answer: CommandResult | undefined, profile: Profile): Scheduler
    /** Of an adapted one: what was found out. */
    readonly words?: readonly string[]
  }
  readonly array?: {
    /** The environment variable that holds the member's number. */
    readonly indexVariable: string
    readonly base: 0 | 1
    /**
     * Its tasks can only be numbered from the base on, without a gap: of an attempt for some members, task k from 0 is the
     * k-th of them.
     */
    readonly dense?: true
    /** The scheduler's name for one task, by its number from 0. */
    taskId(nativeId: string, task: number): string
    /** Members that an array may have where the site has not said. */
    readonly defaultSize: number
    /** Asks the site how many members an array may have. */
    sizeLimit?(): Command
    /** Undefined when the answer does not say. */
    parseSizeLimit?(result: CommandResult): number | undefined
    /** Of the same answer: how many members the user may have submitted at all. Undefined: no limit is known. */
    parseSubmitLimit?(result: CommandResult): number | undefined
    /** Submissions that the user may have at once, where an array counts as one; undefined: no limit is known. */
    readonly maxSubmissions?: number
    /** Of the words of a refusal: it has too many members; how many it may have, where they say. */
    refusedSize?(said: string): { readonly most?: number } | undefined
    /** Of the words of a refusal: what `maxSubmissions` is. */
    refusedSubmissions?(said: string): number | undefined
  }
  /** Bytes that a script may have; absent: no limit is known. */
  readonly scriptSize?: {
    /** Where the site has not said. */
    readonly usual: number
    /** Of the answer to array.sizeLimit; undefined when it does not say. */
    parse(result: CommandResult): number | undefined
  }
  /** A shell expression: how often the scheduler itself has restarted this job; '0' where it never does. */
  readonly restartCount: string
  /** Starts processes on all nodes of a job; absent: a job of it has one node. */
  readonly launcher?: 'srun' | 'mpirun'
  /** Whether a submitted job runs at once, without a queue. */
  readonly immediate?: boolean
  /** Exit code 0: the scheduler is there. */
  detect(): Command
  /** Its own word for its version; undefined when the answer does not say. */
  version?(): Command
  parseVersion?(result: CommandResult): string | undefined
  /** What there is to run on. */
  capacity(): Command
  /** @throws FarcallError COMMAND_FAILED (transient) when the answer is no answer */
  parseCapacity(result: CommandResult): readonly PartitionCapacity[]
  /** The jobs that wait and run, everybody's or only the user's. Absent: there is no queue. */
  queue?(mine: boolean): Command
  /** @throws FarcallError COMMAND_FAILED (transient) when the answer is no answer */
  parseQueue?(result: CommandResult): QueuedJobs
  /** `file` is the absolute path of job.sh; `directives` what it was rendered with. */
  submit(file: string, directives: Directives): Command
  /** The native id. @throws SubmitError with the scheduler's own words */
  parseSubmit(result: CommandResult): string
  /** Looks in the queue for a job by its script, when the answer to its submission was lost. */
  readonly findSubmitted?: {
    command(): Command
    /** @throws FarcallError COMMAND_FAILED (transient) when the answer is no answer */
    parse(result: CommandResult, file: string): string | undefined
  }
  /**
   * Asks for all the user's jobs at once; the ids are a hint for schedulers that cannot. A job that is
   * gone is absent from the answer. For an array, its key is the native id and it tells the members apart.
   */
  query(nativeIds: readonly string[]): Command
  /** @throws FarcallError COMMAND_FAILED (transient) when the answer is no answer */
  parseQuery(result: CommandResult): QueueSnapshot
  /** Accounting for jobs that have left the queue: sacct, qacct, qstat -x. */
  history?(nativeIds: readonly string[]): Command
  /** Undefined: this site keeps no accounting. */
  parseHistory?(result: CommandResult): QueueSnapshot | undefined
  /** What is asked when there is no accounting: `scontrol show job`. */
  recent?(nativeIds: readonly string[]): Command
  parseRecent?(result: CommandResult): QueueSnapshot
  /** What members that run use just now, where their processes can be looked at from here. */
  usage?(nativeIds: readonly string[]): Command
  /** By native id, then by member. @throws FarcallError COMMAND_FAILED (transient) when the answer is no answer */
  parseUsage?(result: CommandResult): ReadonlyMap<string, ReadonlyMap<number, Measured>>
  /** Why a job is pending, from what its status says (`message`) and what it asked for; undefined: not known here. */
  explainWaiting?(
    reason: string,
    asked: ResolvedResources,
    parents?: readonly ParentJob[],
  ): Waiting | undefined
  /** Where the job's own script starts the members: the name of one, for `cancel`. */
  memberId?(nativeId: string, member: number): string
  cancel(nativeIds: readonly string[]): Command
  /** The way to the node of a running job. */
  readonly attach?: {
    /** Asks where a job runs, or one member of an array; without a member the first that runs. */
    where(nativeId: string, member?: number): Command
    /** Undefined: it does not run now. @throws FarcallError COMMAND_FAILED (transient) when the answer is no answer */
    parseWhere(result: CommandResult): RunningJob | undefined
    /** The argv that runs another beside the job, on its node; absent: the node is where commands run anyway. */
    beside?(job: RunningJob, argv: readonly string[], terminal: boolean): readonly string[]
  }
  /** What is wrong, and what to do, in words, from a failed submission; undefined when it says nothing known. */
  explainSubmit?(result: CommandResult): { code?: SubmitCode; hint?: string } | undefined
}

/** SUBMIT_LIMIT: so many jobs are under way already; it may be taken once some have ended. */
export type SubmitCode = 'SCHEDULER_MISSING' | 'SUBMIT_REFUSED' | 'SUBMIT_LIMIT'

export interface RunningJob {
  /** Of the member itself, where the scheduler has one. */
  readonly nativeId: string
  readonly node: string
  /** What the node is reached by from where the scheduler's commands run. */
  readonly address: string
  /** Where commands run is another machine than the node, and nothing leads there. */
  readonly away?: { readonly here: string }
}

/** Why a job waits, in plain words. */
export interface Waiting {
  readonly words: string
  /** Nothing that anybody does to other jobs, nodes or limits lets it start. */
  readonly never?: true
}

/** nativeId -> where it stands. */
export type QueueSnapshot = ReadonlyMap<string, QueueEntry>

export interface QueueEntry {
  /** The job as a whole; for an array the most advanced state that is not final while any member is not. */
  readonly status: JobStatus
  /** For an array: the members that the answer names one by one, by number from 0. */
  readonly members?: ReadonlyMap<number, JobStatus>
  /** For an array: members not named one by one share this status (pending ones, mostly). */
  readonly rest?: JobStatus
}
