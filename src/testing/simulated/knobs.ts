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
  /** Seconds between SIGTERM and SIGKILL. Default 2. */
  readonly killDelay?: number
  /** Whether memory is enforced: what is over is killed. Default true. */
  readonly enforceMemory?: boolean
  /** Seconds for which ended jobs are remembered; 0: none is. Default 3600. */
  readonly history?: number
  /** Every command fails, in the scheduler's words for a server that does not answer. */
  readonly outage?: boolean
  /** Each submission is refused with these words. */
  readonly refuse?: string
  /** Jobs are taken, and the answer is lost on the way: the command says that none came. */
  readonly loseAnswers?: boolean
}
