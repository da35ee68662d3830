import { seededRandom } from './random.ts'

/** How far a task says it is. */
export interface TaskProgress {
  /** From 0 to 1. */
  readonly fraction: number
  readonly message?: string
  /** Milliseconds since the epoch, by the node's clock. */
  readonly time: number
}

/** What a function may know about the job that it runs in. */
export interface Task {
  /** The job's, as `job.id` says it; the calls of one array share it. */
  readonly id: string
  /** The array member's number, from 0. */
  readonly index: number
  /** The number of this call or item within its job, from 0. */
  readonly item: number
  /** Calls or items that the job has. */
  readonly items: number
  /** From 1: attempts of this array member that began, retries and the scheduler's restarts alike. */
  readonly attempt: number
  /** Which of the processes that run this item together this one is, from 0. */
  readonly rank: number
  /** How many they are: `nodes` times `tasksPerNode`, unless `launcher` is 'single'. */
  readonly size: number
  /** Its number among those on its node, from 0: the way to choose one of the node's GPUs. */
  readonly localRank: number
  /** Cores to keep busy: what the scheduler granted, or less where affinity or a control group gives less. */
  readonly cores: number
  /** Bytes granted; undefined when nobody set a limit. */
  readonly memory: number | undefined
  /** Ids of the GPUs that are this task's, as in `CUDA_VISIBLE_DEVICES`. */
  readonly gpus: readonly string[]
  /**
   * The next number of a row from 0 up to 1 that belongs to this item of this job: the same on every retry, however
   * the items are dealt to members, and another row in each rank. (xoshiro128**, seeded from the SHA-256 of job id, item,
   * and a rank that is not 0.)
   */
  random(): number
  /**
   * Tells the client how far the task is: `job.progress` and `job.updates()`. A fraction from 0 to 1, or how many of how
   * many; what lies outside counts as its nearest end. Call it as often as you like: it is sent at most once a second,
   * in a large array less often. Of several ranks that of rank 0 counts.
   */
  progress(fraction: number, message?: string): void
  progress(done: number, total: number, message?: string): void
}

/** A task, without what it can do. */
export type TaskFacts = Omit<Task, 'random' | 'progress'>

/** `seed`: beside id and item, what its random numbers come from. */
export function makeTask(
  facts: TaskFacts,
  report: (progress: TaskProgress) => void,
  seed: readonly (string | number)[] = [],
): Task {
  let random: (() => number) | undefined
  return Object.freeze({
    ...facts,
    random: () => {
      random ??= seededRandom(facts.id, facts.item, ...seed)
      return random()
    },
    progress: (...args: unknown[]) => report(readProgress(args, Date.now())),
  })
}

/** @throws TypeError */
export function readProgress(args: readonly unknown[], time: number): TaskProgress {
  const [done, second, third] = args
  const [total, message] = typeof second === 'number' ? [second, third] : [1, second]
  if (typeof done !== 'number' || (message !== undefined && typeof message !== 'string'))
    throw new TypeError('progress: expected (fraction, message?) or (done, total, message?)')
  // Nothing of nothing is done.
  const fraction = done >= total ? 1 : Math.min(1, Math.max(0, done / total || 0))
  return { fraction, ...(message === undefined ? {} : { message: message.slice(0, 1_000) }), time }
}

/** Where the task of a bundle's code lies, for the bundle's own copy of farcall. */
export const taskKey = Symbol.for('farcall.task')
