/** How each launcher is asked for the processes of an item. Pure: the argv, and what the processes go by. */
import { type Ranks, sizeOf } from '../src/core/launcher.ts'
import type { Rank } from './tasks.ts'

/** The variables in which a launcher tells a process its number, that on its node, and how many there are. */
interface Told {
  readonly rank: string
  readonly local: string
  readonly size: string
}

/** By which a rank knows itself; gone from the environment before the user's code sees it. */
export const rankVariables = {
  rank: 'FARCALL_RANK',
  local: 'FARCALL_LOCAL_RANK',
  size: 'FARCALL_RANKS',
} as const

/** Of srun(1), OUTPUT ENVIRONMENT VARIABLES. */
const slurm: Told = { rank: 'SLURM_PROCID', local: 'SLURM_LOCALID', size: 'SLURM_NTASKS' }
/** Of Open MPI's FAQ, "environment variables at run time". */
const openMpi: Told = {
  rank: 'OMPI_COMM_WORLD_RANK',
  local: 'OMPI_COMM_WORLD_LOCAL_RANK',
  size: 'OMPI_COMM_WORLD_SIZE',
}
/** Of MPICH's hydra, and of those made from it: Intel MPI, MVAPICH. */
const hydra: Told = { rank: 'PMI_RANK', local: 'MPI_LOCALRANKID', size: 'PMI_SIZE' }

/** Which rank this process is; undefined: it is none. Takes the variables out of the environment. */
export function takeRank(env: NodeJS.ProcessEnv): Rank | undefined {
  const [rank, local, size] = [env[rankVariables.rank], env[rankVariables.local], env[rankVariables.size]]
  for (const name of Object.values(rankVariables)) delete env[name]
  if (!rank) return undefined
  return { rank: Number(rank), localRank: Number(local || 0), size: Number(size) }
}

export type MpiKind = 'openmpi' | 'hydra'

/** By what `mpirun --version` says. */
export const mpiKind = (version: string): MpiKind =>
  /open ?mpi|openrte/i.test(version) ? 'openmpi' : 'hydra'

/**
 * Runs "$@" with a log of its own. $1 the run's folder, $2 the mask of the user's files, $3 the working directory. What a
 * launcher starts on another node may have neither.
 */
const start = ({ rank, local, size }: Told) => `umask 077
export FARCALL_RANK="\${${rank}-}" FARCALL_LOCAL_RANK="\${${local}-}" FARCALL_RANKS="\${${size}-}"
[ -n "$FARCALL_RANK" ] || { echo "farcall: ${rank} is not set: this launcher gives its processes no rank" >&2; exit 1; }
log=.$FARCALL_RANK
[ "$FARCALL_RANK" -ne 0 ] || log=
exec </dev/null >>"$1/log.out$log" 2>>"$1/log.err$log" || exit
umask "$2" && cd "$3" || exit
shift 3
exec "$@"
`

export interface Launch {
  readonly ranks: Ranks
  /** For srun, where they were asked for. */
  readonly cores: number | undefined
  readonly mpi: MpiKind | undefined
  /** Names of variables that processes are to have on whatever node. */
  readonly variables: readonly string[]
  /** Node and the runtime, for the launcher of our own. */
  readonly self: readonly string[]
  readonly run: string
  readonly umask: string
  readonly cwd: string
  /** What each rank runs. */
  readonly argv: readonly string[]
}

/** What is different on each node, or each process: it has that from its launcher. */
const own = /^(OMPI_|PMI|PRTE_|ORTE_|HYDRA|SLURM|FARCALL_RANK|FARCALL_LOCAL_RANK)/
const ofNode =
  /^(HOSTNAME|HOST|TMPDIR|PWD|OLDPWD|_|(CUDA|ROCR|HIP)_VISIBLE_DEVICES|ZE_AFFINITY_MASK|GPU_DEVICE_ORDINAL)$/

/** Those that a launcher is to pass on. */
export const passedOn = (names: readonly string[]): string[] =>
  names.filter((name) => /^[A-Za-z_]\w*$/.test(name) && !own.test(name) && !ofNode.test(name))

export function launchCommand(launch: Launch): readonly string[] {
  const { ranks, cores, mpi, variables, self, run, umask, cwd, argv } = launch
  const size = String(sizeOf(ranks))
  const command = (told: Told) => ['sh', '-c', start(told), 'farcall', run, umask, cwd, ...argv]
  if (ranks.launcher === 'srun')
    return [
      'srun',
      `--nodes=${ranks.nodes}`,
      `--ntasks=${size}`,
      `--ntasks-per-node=${ranks.perNode}`,
      // Since 22.05 srun takes no heed of what sbatch was asked for.
      ...(cores === undefined ? [] : [`--cpus-per-task=${cores}`]),
      '--kill-on-bad-exit=1',
      '--export=ALL',
      '--input=none',
      ...command(slurm),
    ]
  if (ranks.launcher === 'mpirun' && mpi === 'openmpi')
    return [
      'mpirun',
      ...['-n', size, '--map-by', `ppr:${ranks.perNode}:node`],
      // Two jobs on one node would have their first processes bound to the same core. Which cores a job has its scheduler says.
      ...['--bind-to', 'none', '--oversubscribe'],
      ...variables.flatMap((name) => ['-x', name]),
      ...command(openMpi),
    ]
  if (ranks.launcher === 'mpirun')
    return ['mpirun', '-n', size, '-ppn', String(ranks.perNode), ...command(hydra)]
  return [...self, multipleFlag, size, ...command(rankVariables)]
}

/** Has the runtime start so many processes of the command that follows. */
export const multipleFlag = '--multiple'
