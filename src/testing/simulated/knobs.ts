/** What a simulated scheduler does to its users. All may be changed while it runs. */
export interface Knobs {
  /** Cores of the only node: members of jobs run while they are free. Default 4. */
  readonly cores?: number
  /** Seconds that a job waits at least. */
  readonly startDelay?: number
  /** Seconds by which answers to questions are old. */
  readonly lag?: number
  /** Members that an array may have. Default 1000. */
  readonly maxArraySize?: number
  /** Jobs that may be in the queue, running ones counted. */
  readonly maxJobs?: number
  /** Seconds of wall clock that a job may ask for; more is refused. */
  readonly maxTime?: number
  /** How much faster than the clock the time of running jobs counts: with 60 a limit of a minute is over in a second. Default 1. */
  readonly timeScale?: number
  /** Seconds between SIGTERM and SIGKILL. Default 2. */
  readonly killDelay?: number
  /** Whether memory is enforced: what is over is killed. Default true. */
  readonly enforceMemory?: boolean
  /** Seconds for which ended jobs are remembered; 0: none is. Default 3600. */
  readonly history?: number
  /** Whether there is accounting (`sacct`, `qacct`); PBS has none beside `history`. Default true. */
  readonly accounting?: boolean
  /** The state that all jobs are said to be in: a word of a version to come, say. */
  readonly unknownState?: string
  /** Commands that ask say nothing, and succeed. */
  readonly emptyAnswers?: boolean
  /** Every command fails, in the scheduler's words for a server that does not answer. */
  readonly outage?: boolean
  /** Each submission is refused with these words. */
  readonly refuse?: string
  /** Jobs are taken, and the answer is lost on the way: the command says that none came. */
  readonly loseAnswers?: boolean
}

/** Some of them; undefined: as it is by default. */
export type KnobChanges = { readonly [K in keyof Knobs]?: Knobs[K] | undefined }
