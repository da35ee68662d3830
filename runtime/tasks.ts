import { grantedCores, grantedGpus, grantedMemory, type Machine } from '../src/core/granted.ts'
import { thisMachine } from '../src/core/machine.ts'
import type { JobSpec } from '../src/core/protocol.ts'
import { makeTask, type TaskFacts, type TaskProgress, taskKey } from '../src/core/task.ts'
import type { Place } from './arguments.ts'
import { earlierRuns } from './earlier.ts'

/** Sets what `currentTask()` gives, of one item after the other. */
export class Tasks {
  readonly #place: Place
  readonly #spec: JobSpec
  readonly #report: (item: number, progress: TaskProgress) => void
  readonly #granted: Granted
  readonly #attempt: number
  readonly #rank: Rank

  constructor(
    place: Place,
    spec: JobSpec,
    report: (item: number, progress: TaskProgress) => void,
    rank: Rank = { rank: 0, size: 1, localRank: 0 },
  ) {
    this.#place = place
    this.#spec = spec
    this.#report = report
    this.#granted = readGranted(thisMachine())
    this.#attempt = earlierRuns(place).length + 1
    this.#rank = rank
  }

  begin(item: number): void {
    const { part, items } = this.#spec
    const { member: index, id } = this.#place
    const [map, first] = [part?.of ?? id, part?.first ?? 0]
    const which = { id: map, index, item: first + item, items: part?.total ?? first + items }
    const facts = { ...which, attempt: this.#attempt, ...this.#rank, ...this.#granted }
    Reflect.set(
      globalThis,
      taskKey,
      // What each rank draws is its own.
      makeTask(
        facts,
        (progress) => this.#report(item, progress),
        this.#rank.rank === 0 ? [] : ['rank', this.#rank.rank],
      ),
    )
  }
}

/** Which of the processes that run an item together this one is. */
export type Rank = Pick<TaskFacts, 'rank' | 'size' | 'localRank'>

export interface Granted {
  readonly cores: number
  readonly memory: number | undefined
  readonly gpus: readonly string[]
}

/** job.sh says what was asked for, or what the scheduler granted where nothing was. */
export function readGranted(machine: Machine): Granted {
  const { env } = machine
  const asked = (variable: string) => (Number(env[variable]) > 0 ? Number(env[variable]) : undefined)
  return {
    cores: grantedCores(asked('FARCALL_CORES') ?? 1, machine),
    memory: grantedMemory(asked('FARCALL_MEMORY'), machine),
    gpus: Object.freeze(grantedGpus(machine)),
  }
}
