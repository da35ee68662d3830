import { ConfigError } from './errors.ts'

/**
 * What starts the processes of a job that has several, in the words of PSI/J and of the sites: `srun` is Slurm's, `mpirun`
 * that of an MPI, `multiple` starts all of them on one machine without either, `single` starts one and leaves the others
 * to the function. 'auto' is srun on Slurm, else mpirun over several nodes and `multiple` on one.
 */
export const launchers = ['auto', 'srun', 'mpirun', 'multiple', 'single'] as const
/** What starts the processes of a call that has several: one of `launchers`. */
export type Launcher = (typeof launchers)[number]

/** The processes that run each item together; they are told apart by their rank, from 0. */
export interface Ranks {
  /** As asked; once submitted, the one that is used. */
  readonly launcher: Exclude<Launcher, 'single'>
  readonly nodes: number
  readonly perNode: number
  /** The item's value is the array of all their values; absent: that of rank 0. */
  readonly gather?: true
}

export const sizeOf = ({ nodes, perNode }: Ranks): number => nodes * perNode

/** What a scheduler has to say of it: `launcher` starts processes on all nodes of a job of its. */
interface Launching {
  readonly name: string
  readonly launcher?: 'srun' | 'mpirun'
}

/** The launcher that is used. @throws ConfigError OPTION_INVALID */
export function chooseLauncher({ launcher, nodes }: Ranks, scheduler: Launching): Ranks['launcher'] {
  if (launcher === 'auto')
    return nodes > 1 || scheduler.launcher === 'srun' ? (scheduler.launcher ?? 'mpirun') : 'multiple'
  if (launcher === 'srun' && scheduler.launcher !== 'srun')
    throw new ConfigError(
      'OPTION_INVALID',
      `launcher: srun is Slurm's, and the scheduler is ${scheduler.name}`,
      {
        hint: "leave it out, or set launcher: 'mpirun'; 'single' starts one process",
      },
    )
  if (launcher === 'multiple' && nodes > 1)
    throw new ConfigError(
      'OPTION_INVALID',
      `launcher: multiple starts processes on one node, and nodes is ${nodes}`,
      {
        hint: `leave launcher out, or ask for one node with tasksPerNode`,
      },
    )
  return launcher
}
