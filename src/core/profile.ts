import type { ContainerSettings, ContainerSpec } from './container-settings.ts'
import type { KubernetesSettings } from './kubernetes-settings.ts'
import type { Launcher } from './launcher.ts'
import type { NotifyOptions } from './notification.ts'
import type { Duration, Memory, Resources } from './resources.ts'
import type { RetryOptions } from './retry-policy.ts'

/** What is set up on the node before the function runs. */
export interface Environment {
  /**
   * 'auto' takes `node` on PATH after modules and setup, else a module, else one that farcall sends; or an absolute
   * path, a module's name ('nodejs/20'), or a version ('20', '22.11', '>=20').
   */
  node?: string
  /** Reads the startup files of a login shell first. */
  loginShell?: boolean
  /** Unloads all modules before `modules`, those too that the login has loaded. */
  purge?: boolean
  /** Loaded with `module load`, in order. */
  modules?: readonly string[]
  /** A conda or mamba environment, by name or by its folder; false: none. */
  conda?: string | false
  /** A Python virtual environment, its folder; false: none. */
  venv?: string | false
  /** Folders for PATH, before and after those that are on it. */
  path?: { prepend?: readonly string[]; append?: readonly string[] }
  variables?: Readonly<Record<string, string>>
  /** Variables that the calling program has, by name. Their values go over beside the job, and into no script, record or log. */
  secrets?: readonly string[]
  /**
   * npm packages that travel beside the bundle, by name, found to need that or not; or a record that says more of each:
   * 'install', the version that is to be there ('1.2.3'), or 'bundle' for one that is bundled all the same.
   */
  packages?: readonly string[] | Readonly<Record<string, string>>
  /** The function's working directory; default: the work folder. */
  cwd?: string
  /** The mask of files that the function makes, in octal digits: '027'; default: the account's. */
  umask?: string
  /** Shell lines run before Node starts. The only place where your text is shell. */
  setup?: readonly string[]
}

/** An environment, and the container that it is in. */
export interface ContainedEnvironment extends Environment {
  readonly container?: ContainerSpec
}

/** How a Grid Engine is set up, where what it says of itself would lead astray. */
export interface GridEngineSettings {
  /** The parallel environment that gives a job its cores on one node: 'smp'. */
  parallelEnvironment?: string
  /** What `memory` asks for, by the site's name, or several of them: 'h_vmem', ['mem_free', 'h_vmem']. */
  memoryResource?: string | readonly string[]
  /** What `gpus` asks for: 'gpu'. */
  gpuResource?: string
}

/** Of a profile that names none: it is found out on the place. */
export const unnamedScheduler = 'auto'

/** A named place: scheduler, transport, and defaults for what runs there. */
export interface Profile extends NotifyOptions {
  /** 'slurm', 'sge', 'direct' …; 'auto', or none: the one that the place is found to have. */
  scheduler: string
  /** Without it, commands run on this machine. */
  host?: string
  port?: number
  user?: string
  /** 'ssh' is farcall's own client; 'openssh' is the system's ssh, with all that it can. */
  transport?: 'local' | 'ssh' | 'openssh'
  /** An ssh_config file that is read instead of ~/.ssh/config and /etc/ssh/ssh_config. */
  sshConfig?: string
  /** Hosts to go through, as ssh's ProxyJump: 'me@bastion:2222', with commas between several; 'none' for none. */
  proxyJump?: string
  identityFile?: string
  /** A password or passphrase by environment variable name; never the secret itself. */
  password?: { env: string }
  passphrase?: { env: string }
  knownHosts?: string
  /** Of a host that is not known yet. Default: what the ssh configuration says, else 'strict'. */
  hostKey?: 'strict' | 'accept-new'
  /** May hold ~ and $VARIABLES of the cluster. */
  workdir?: string
  resources?: Resources
  environment?: Environment
  /** The container that jobs run in: its image, or a record that says more. */
  container?: string | ContainerSettings
  /** Of scheduler 'sge': what is not to be found out. */
  gridEngine?: GridEngineSettings
  /** A job template of your own, a path. */
  template?: string
  /** Between two questions to the scheduler; the least is what your site allows. */
  queryInterval?: Duration
  /** Between two looks at files, once a job is old. */
  filePoll?: Duration
  /** How long a job may be absent from queue and accounting before it counts as lost. */
  grace?: Duration
  /** What is tried again; a call's own `retry` replaces it as a whole. */
  retry?: number | RetryOptions
  /** Which job folders stay on the cluster once the result is here. */
  keep?: 'failed' | 'all' | 'none'
  /** How long the folders of failed jobs stay, once their results are here. */
  keepFor?: Duration
  /** How long bundles and other shared files stay that no job uses, from their last use; at least a day. */
  keepBlobs?: Duration
  /** With less than that free for the work folder, '2%' or '10GB', nothing is submitted; 0: no limit. */
  minFree?: Memory
  /** What Ctrl-C does to jobs that are awaited; 'ask' asks on a terminal, and cancels where there is none. */
  interrupt?: 'cancel' | 'detach' | 'ask'
  /** Array members that may run at once on `direct`; elsewhere the scheduler's own throttle. */
  concurrency?: number
  /** What starts the processes of jobs that have several; default 'auto'. */
  launcher?: Launcher
  /** How long a member of a map is to run, where `chunk` is 'auto'. Default: 2 minutes where jobs queue, else 10 s. */
  targetTime?: Duration
  /** Maps of at most so many items run on this machine instead, where nothing that they ask for is missing here. */
  localThreshold?: number
  /** Of `scheduler: 'kubernetes'`: the cluster, and its pods. */
  kubernetes?: KubernetesSettings
}
