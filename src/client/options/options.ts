import type { ContainerSettings } from '../../core/container-settings.ts'
import type { Launcher } from '../../core/launcher.ts'
import { type NotifyOptions, notifyNames } from '../../core/notification.ts'
import type { Environment } from '../../core/profile.ts'
import { type Duration, type Memory, type Resources, resourceNames } from '../../core/resources.ts'
import type { RetryOptions } from '../../core/retry-policy.ts'
import type { Progress } from '../job/job-array.ts'
import type { StageOptions } from '../staging/stage-options.ts'

/**
 * What a call asks for: resources as in a profile, and where and how it runs.
 *
 * @example
 * import { type ClusterOptions, cluster } from 'farcall'
 *
 * const long: ClusterOptions = { cores: 8, memory: '16GB', time: '2h', profile: 'hpc' }
 * const simulate = cluster(long, (seed: number) => Math.sin(seed))
 */
export interface ClusterOptions extends Omit<Resources, 'signal'>, NotifyOptions {
  /** A profile of the configuration; default: the configuration's, or this machine. */
  profile?: string
  /** Added to the profile's environment. */
  environment?: Environment
  /**
   * The container that it runs in: its image, or a record that says more; in place of the profile's. false: none.
   */
  container?: string | ContainerSettings | false
  /** Array members that may run at once. */
  concurrency?: number
  /**
   * Cores for each item of an array member: so many items as `cores` have room for then run at once, each in a process
   * of its own. Default: all of them, one item after the other.
   */
  coresPerItem?: number
  /** GPUs for each item, of those that `gpus` asks for: each sees its own, and as many items run at once. */
  gpusPerItem?: number
  /**
   * What starts the processes where `nodes` and `tasksPerNode` ask for several: 'srun', 'mpirun', or 'multiple', which
   * needs neither and keeps to one node; 'single' starts one, and leaves the others to your function. Default 'auto': srun
   * on Slurm, else mpirun over several nodes and 'multiple' on one.
   */
  launcher?: Launcher
  /** Items for each array member; 'auto' lets farcall choose: `map.plan(items)` says what. */
  chunk?: number | 'auto'
  /** How long a member is to run where farcall chooses its items; a number is seconds. Default: 2 minutes where jobs queue. */
  targetTime?: Duration
  /** Maps of at most so many items run on this machine instead, where nothing that they ask for is missing here; default 0. */
  localThreshold?: number
  /**
   * Where nobody knows how long an item of a map takes, the first three run on this machine before, for 5 s at most, and
   * their results are thrown away. Only for functions that may run twice, and here; default false.
   */
  probe?: boolean
  /** Tries again what failed for no fault of yours, or for other reasons that you name; a number is `retries`. */
  retry?: number | RetryOptions
  /** An AbortSignal cancels the job; a string is the scheduler's signal before the time limit: 'USR1@90'. */
  signal?: AbortSignal | string
  /**
   * An identical call (code, captured values, arguments, environment) that runs is joined, and one that is done gives
   * its result again; default false. Errors are not kept. For functions whose result depends on nothing else.
   */
  cache?: boolean
  /** With `cache`: runs it again, and keeps the new result. */
  force?: boolean
  /** Like that of a map. */
  bufferSize?: number
  /** Like that of a map. */
  onError?: 'collect' | 'fail-fast'
  /** Like that of a map. */
  onProgress?: (progress: Progress) => void
  /** Words to find its jobs by: `jobs({ tag })`. */
  tags?: readonly string[]
  /** Of a generator function: how much it may yield that is not read yet, until it waits; default 1,000 values or 64 MB. */
  window?: { items?: number; memory?: Memory }
  /**
   * Looks for loops in the function whose turns do not depend on one another, and runs these as tasks of an array job;
   * 'strict' takes nothing to be pure that is not proven to be. Default false. See docs/loops.md.
   */
  parallel?: 'auto' | 'strict' | false
  /** Files that go along, and files that come back. The function then has a working directory of its own. */
  stage?: StageOptions
}

/**
 * Options of a function that several processes run together, and whose value is the array of all of theirs by their rank.
 *
 * @example
 * import { cluster, currentTask, type GatheredOptions } from 'farcall'
 *
 * const four: GatheredOptions = { tasksPerNode: 4, gather: 'all' }
 * const ranks = cluster(four, () => currentTask().rank)
 * console.log(await ranks()) // [0, 1, 2, 3]
 */
export interface GatheredOptions extends ClusterOptions {
  /** Of all ranks; without it the value is that of rank 0. */
  gather: 'all'
}

/** Options of `job.logs()`. */
export interface LogOptions {
  /** Goes on until the job has ended. */
  follow?: boolean
  /** Which of the two; default stdout. */
  stream?: 'stdout' | 'stderr'
  /** Of which of the processes that run the item together; default 0. */
  rank?: number
}

/** Options of one `map`; they win over those of the function. */
export interface MapOptions extends NotifyOptions {
  /** Items for each array member; 'auto' lets farcall choose. */
  chunk?: number | 'auto'
  /** Like that of the function. */
  targetTime?: Duration
  /** Like that of the function. */
  localThreshold?: number
  /** Like that of the function. */
  probe?: boolean
  /** Array members that may run at once. */
  concurrency?: number
  /** Like that of the function. */
  coresPerItem?: number
  /** Like that of the function. */
  gpusPerItem?: number
  /** Tries again what failed. */
  retry?: number | RetryOptions
  /** Cancels what has not ended. */
  signal?: AbortSignal
  /** Like that of the function. */
  cache?: boolean
  /** Like that of the function. */
  force?: boolean
  /**
   * Of inputs that come one by one (generators, async iterables): at most so many are read ahead of what is done with,
   * where a loop over the results is done with an item once it has been handed its value. Default 10,000.
   */
  bufferSize?: number
  /**
   * What becomes of the others when an item fails: 'collect', the default, lets them run, and the array rejects with an
   * AggregateError in the end; 'fail-fast' cancels them, and it rejects with the first failure at once.
   */
  onError?: 'collect' | 'fail-fast'
  /** Told how far the map is whenever that changes, at most five times a second, and once at its end. */
  onProgress?: (progress: Progress) => void
}

/** Those that are no resources. */
export const ownNames = [
  ...notifyNames,
  'profile',
  'environment',
  'container',
  'concurrency',
  'chunk',
  'targetTime',
  'localThreshold',
  'probe',
  'coresPerItem',
  'gpusPerItem',
  'launcher',
  'gather',
  'retry',
  'signal',
  'cache',
  'force',
  'bufferSize',
  'onError',
  'onProgress',
  'tags',
  'stage',
  'window',
  'parallel',
] as const

export const optionNames: readonly string[] = [...ownNames, ...resourceNames]
