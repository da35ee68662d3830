import { grantedCores, grantedGpus, grantedMemory, type Machine } from '../src/core/granted.ts'
import { thisMachine } from '../src/core/machine.ts'
import type { JobSpec } from '../src/core/protocol.ts'
import { makeTask, type TaskProgress, taskKey } from '../src/core/task.ts'
import type { Place } from './arguments.ts'
import { earlierRuns } from './earlier.ts'

/** Sets what `currentTask()` gives, of one item after the other. */
export class Tasks {
  readonly #place: Place
  readonly #spec: JobSpec
  readonly #report: (item: number, progress: TaskProgress) => void
  readonly #granted: Granted
  readonly #attempt: number

  constructor(place: Place, spec: JobSpec, report: (item: number, progress: TaskProgress) => void) {
    this.#place = place
    this.#spec = spec
    this.#report = report
    this.#granted = readGranted(thisMachine())
    this.#attempt = earlierRuns(place).length + 1
  }

  begin(item: number): void {
    const { part, items } = this.#spec
    const { member: index, id } = this.#place
    const [map, first] = [part?.of ?? id, part?.first ?? 0]
    const which = { id: map, index, item: first + item, items: part?.total ?? first + items }
    const facts = { ...which, attempt: this.#attempt, ...this.#granted }
    Reflect.set(
      globalThis,
      taskKey,
      makeTask(facts, (progress) => this.#report(item, progress)),
    )
  }
}

export interface Granted {
  readonly rank: number
  readonly cores: number
  readonly memory: number | undefined
  readonly gpus: readonly string[]
}

/** job.sh says what was asked for, or what the scheduler granted where nothing was. */
export function readGranted(machine: Machine): Granted {
  const { env } = machine
  const asked = (variable: string) => (Number(env[variable]) > 0 ? Number(env[variable]) : undefined)
  const rank = ['SLURM_PROCID', 'PMIX_RANK', 'PMI_RANK', 'OMPI_COMM_WORLD_RANK']
    .map((name) => env[name])
    .find((value) => value !== undefined)
  return {
    rank: Number(rank ?? 0),
    cores: grantedCores(asked('FARCALL_CORES') ?? 1, machine),
    memory: grantedMemory(asked('FARCALL_MEMORY'), machine),
    gpus: Object.freeze(grantedGpus(machine)),
  }
}
