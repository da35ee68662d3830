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

/** What kind of value a resource takes. */
export type ResourceKind =
  | 'count'
  | 'integer'
  | 'memory'
  | 'duration'
  | 'gpus'
  | 'word'
  | 'list'
  | 'always-list'
  | 'switch'

export interface ResourceFacts {
  readonly kind: ResourceKind
  /** What it is, in a few words: the help of its option on the command line. */
  readonly words: string
}

/** Total on purpose: what reads resources, and the options of the command line, are made from it. */
export const resourceTable: Readonly<Record<keyof Resources, ResourceFacts>> = {
  cores: { kind: 'count', words: 'CPU cores for each task' },
  memory: { kind: 'memory', words: 'memory for each node, like 16GB' },
  time: { kind: 'duration', words: 'wall-clock limit, like 2h or 02:00:00' },
  gpus: { kind: 'gpus', words: 'GPUs for each node: 2, or a100:2' },
  nodes: { kind: 'count', words: 'nodes' },
  tasksPerNode: { kind: 'count', words: 'tasks on each node' },
  partition: { kind: 'word', words: 'Slurm’s partition, elsewhere the queue' },
  queue: { kind: 'word', words: 'another word for partition' },
  account: { kind: 'word', words: 'the account that it is charged to' },
  qos: { kind: 'word', words: 'quality of service' },
  constraint: { kind: 'word', words: 'features that the nodes must have' },
  reservation: { kind: 'word', words: 'a reservation to run in' },
  nodelist: { kind: 'list', words: 'nodes to run on' },
  exclude: { kind: 'list', words: 'nodes not to run on' },
  exclusive: { kind: 'switch', words: 'share the nodes with no other job' },
  licenses: { kind: 'list', words: 'licences, like matlab:2' },
  dependency: { kind: 'list', words: 'the scheduler’s own syntax, like afterok:123' },
  priority: { kind: 'integer', words: 'the scheduler’s own number' },
  name: { kind: 'word', words: 'what the scheduler shows' },
  mailType: { kind: 'list', words: 'when the scheduler sends mail, like END' },
  mailUser: { kind: 'word', words: 'who gets it' },
  signal: { kind: 'word', words: 'a signal before the time limit, like USR1@90' },
  requeue: { kind: 'switch', words: 'run it again where a node failed' },
  native: { kind: 'always-list', words: 'a directive as it is, without the prefix, like --switches=1' },
}

export const resourceNames = Object.keys(resourceTable) as readonly (keyof Resources)[]
