import type { JobSpec } from '../src/core/protocol.ts'
import type { Place } from './arguments.ts'

/** What `currentTask()` reads inside a job. */
export interface TaskInfo {
  readonly id: string
  /** The member's number. */
  readonly index: number
  /** The item's number within the map. */
  readonly item: number
  readonly items: number
  /** From 1; retries and the scheduler's restarts count. */
  readonly attempt: number
  readonly cores: number
  /** Bytes; undefined when nobody set a limit. */
  readonly memory: number | undefined
}

const key = Symbol.for('farcall.task')

export function setTask(place: Place, spec: JobSpec, item: number): void {
  // job.sh knows what the scheduler granted, where nothing was asked for.
  const task: TaskInfo = {
    id: place.id,
    index: place.member,
    item,
    items: spec.items,
    attempt: (spec.retried ?? 0) + (place.attempt - spec.attempt) + 1,
    cores: spec.resources.cores ?? granted('FARCALL_CORES') ?? 1,
    memory: spec.resources.memoryBytes ?? granted('FARCALL_MEMORY'),
  }
  Reflect.set(globalThis, key, Object.freeze(task))
}

function granted(variable: string): number | undefined {
  const value = Number(process.env[variable])
  return value > 0 ? value : undefined
}
