import type { Memory } from './resources.ts'

/** Programs that run containers. */
export const containerEngines = ['docker', 'podman', 'apptainer', 'singularity', 'pyxis'] as const
export type ContainerEngine = (typeof containerEngines)[number]

/** A file or folder of the node that is seen inside. */
export interface ContainerMount {
  /** An absolute path there; ~ and $VARIABLES are the cluster's. */
  source: string
  /** An absolute path inside; default: the same. */
  target?: string
  /** Default false. */
  readOnly?: boolean
}

/** A folder of the cluster that outlasts jobs: all that name it share it. It is `caches/<name>` of the work folder. */
export interface ContainerCache {
  /** Letters, digits, `.`, `_`, `-`. */
  name: string
  /** Where it is seen inside: an absolute path. */
  path: string
  /** One setup phase at a time has it, of all jobs. Default true, where there is a setup phase. */
  exclusive?: boolean
  /** The run phase cannot change it. Default true, where there is a setup phase. */
  readOnly?: boolean
}

/** What comes before the function, in a container of its own that has the network. */
export interface ContainerSetup {
  /** For the image's /bin/sh; the first that fails ends the job. */
  lines: readonly string[]
  /** As `network` of the container. Default true. */
  network?: boolean | (string & {})
}

/** The container that a job runs in. */
export interface ContainerSettings {
  /** 'python:3.12', 'docker://python:3.12', '/images/tools.sif': what the engine takes. */
  image: string
  /** 'auto', the default, is the first of apptainer, singularity, podman and docker that the node has. */
  engine?: 'auto' | ContainerEngine
  /** 'source', 'source:target', 'source:target:ro', or records. The job's own folders are there in any case. */
  mounts?: readonly (string | ContainerMount)[]
  /** Folders that outlast the job, and that jobs share: of packages, of downloads. */
  caches?: readonly ContainerCache[]
  /**
   * The setup phase: shell lines that fill the caches, `['pip install --target /deps numpy']`. It has the network, and the
   * exclusive caches to itself; the run phase has neither. Of a map it runs once, where there are caches to keep what it does.
   */
  setup?: readonly string[] | ContainerSetup
  /** Where the function starts, inside; default: the job's work folder. */
  workdir?: string
  /** Who it is inside. 'caller', the default, is whoever runs the job, so that files made inside are theirs; 'image' is as the image says. */
  user?: 'caller' | 'image' | 'root' | (string & {})
  /** Variables inside, beside `environment.variables`. */
  env?: Readonly<Record<string, string>>
  /** Whether GPUs are seen inside, and whose; default: NVIDIA's, where the job asks for some. */
  gpus?: boolean | 'nvidia' | 'amd'
  /** Default: none, where the engine can do without. true: the engine's own; or the name of a network, 'host'. */
  network?: boolean | (string & {})
  /** The image cannot be written to, but for /tmp. Default false. */
  readOnly?: boolean
  /** Of the container; default: what the job is granted. */
  memory?: Memory
  /** Of apptainer and singularity: what is written goes to memory, and is gone at the end. */
  writableTmpfs?: boolean
  /** Of apptainer and singularity: root inside, without being root. */
  fakeroot?: boolean
  /** Of apptainer and singularity: an overlay image, an absolute path there. */
  overlay?: string
  /** Fetch the image where the node does not have it. Default false: most compute nodes reach no registry. */
  pull?: boolean
  /** More words for the engine's command line, as they are, before the image. */
  options?: readonly string[]
}

/** The same with its units and mounts read; part of a job's spec. */
export interface ContainerSpec
  extends Omit<ContainerSettings, 'engine' | 'mounts' | 'memory' | 'user' | 'caches' | 'setup'> {
  readonly image: string
  readonly engine: 'auto' | ContainerEngine
  readonly mounts: readonly { readonly source: string; readonly target: string; readonly readOnly: boolean }[]
  readonly caches?: readonly Required<Readonly<ContainerCache>>[]
  readonly setup?: Required<Readonly<ContainerSetup>>
  readonly user: string
  readonly memoryBytes?: number
}
