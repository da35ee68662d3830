/** '16GB', '512 MiB', or a number of bytes. */
export type Memory = string | number
/** '90s', '2h', '1d12h', '02:00:00', '1-00:00:00', or a number of seconds. */
export type Duration = string | number

/**
 * What a job asks of the scheduler. One flat record, the same on `cluster`, in a profile and in a step.
 * A scheduler that cannot express one of them refuses it (RESOURCE_UNSUPPORTED); none is dropped.
 */
export interface Resources {
  /** CPU cores for each task: for each process, where there are several. */
  cores?: number
  /** Memory for each node; a number is bytes. */
  memory?: Memory
  /** Wall-clock limit; a number is seconds. */
  time?: Duration
  /** GPUs for each node: 2, or 'a100:2'. */
  gpus?: number | string
  /** Machines; default 1. */
  nodes?: number
  /** Processes on each of them, which run the function together: `currentTask()` has `rank` and `size`; default 1. */
  tasksPerNode?: number
  /** Slurm's partition, elsewhere the queue. */
  partition?: string
  /** Alias of `partition`. */
  queue?: string
  account?: string
  qos?: string
  constraint?: string
  reservation?: string
  nodelist?: string | readonly string[]
  exclude?: string | readonly string[]
  exclusive?: boolean
  /** 'matlab:2' */
  licenses?: string | readonly string[]
  /** The scheduler's own syntax: 'afterok:123'. */
  dependency?: string | readonly string[]
  priority?: number
  name?: string
  mailType?: string | readonly string[]
  mailUser?: string
  /** A signal before the time limit: 'USR1@90'. */
  signal?: string
  requeue?: boolean
  /** Directives that we do not know, one a string, without the prefix: '--switches=1'. */
  native?: readonly string[]
}

/** Resources after units were read: what schedulers and the job see. */
export interface ResolvedResources extends Omit<Resources, 'memory' | 'time' | 'queue' | 'gpus'> {
  memoryBytes?: number
  timeSeconds?: number
  gpus?: { count: number; type?: string }
}

export const resourceNames = [
  'cores',
  'memory',
  'time',
  'gpus',
  'nodes',
  'tasksPerNode',
  'partition',
  'queue',
  'account',
  'qos',
  'constraint',
  'reservation',
  'nodelist',
  'exclude',
  'exclusive',
  'licenses',
  'dependency',
  'priority',
  'name',
  'mailType',
  'mailUser',
  'signal',
  'requeue',
  'native',
] as const satisfies readonly (keyof Resources)[]
