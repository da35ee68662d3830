/**
 * What was in force where a job ran, as it saw it.
 * @example
 * import { cluster } from 'farcall'
 *
 * const job = cluster({ environment: { variables: { OMP_NUM_THREADS: '4' } } }, (n: number) => n * n)(6)
 * await job
 * const { host, node, cpu } = (await job.environment())!
 * console.log(`${node.version} on ${host}, ${cpu.count} x ${cpu.model}`)
 */
export interface JobEnvironment {
  readonly host: string
  readonly node: { readonly version: string; readonly path: string }
  /** As the module command lists them. */
  readonly modules: readonly string[]
  /** Folder of the conda environment that is active. */
  readonly conda?: string
  /** Folder of the Python virtual environment that is active. */
  readonly venv?: string
  /** The working directory in which it began. */
  readonly cwd: string
  /** CPUs of the machine, and how many of them the job may use. */
  readonly cpu: { readonly model?: string; readonly count: number; readonly usable: number }
  /** Node's word for it: 'x64', 'arm64'. */
  readonly arch: string
  readonly kernel: string
  /** Absent on musl. */
  readonly glibc?: string
  /** Names of the environment's variables, sorted. */
  readonly variables: readonly string[]
}
