import type { NotifyEndpoint, NotifyOptions } from '../core/notification.ts'
import type { Environment, Profile } from '../core/profile.ts'
import type { Duration, Resources } from '../core/resources.ts'

/** What a farcall.config file holds. A file may hold a part of a profile; the layers are merged by key. */
export interface Config {
  /** Where the JSON Schema of this file lies, for editors. */
  $schema?: string
  /** Used when neither FARCALL_PROFILE nor the call names one. */
  defaultProfile?: string
  profiles?: Readonly<Record<string, Partial<Profile>>>
  /** The folder in which this machine keeps its record of jobs. */
  store?: string
  /** Who is told of jobs of every profile that does not say so itself. */
  notify?: readonly NotifyEndpoint[]
  /** Paths of compute nodes that no container gets to see, beside farcall's own list. Those of all files count. */
  deniedMounts?: readonly string[]
}

export type SourceKind = 'runtime' | 'environment' | 'project' | 'user' | 'site' | 'default'

/** Where a value came from: a file, a variable, `configure()`, or farcall's own defaults. */
export interface Source {
  readonly kind: SourceKind
  /** The file's path, the variable's name, 'configure()' or 'default'. */
  readonly name: string
}

/** One source's say. */
export interface Layer {
  readonly source: Source
  readonly config: Config
  /** Finer than `source`, by path, where one layer has several (FARCALL_HOST, FARCALL_USER). */
  readonly names?: ReadonlyMap<string, string>
}

export interface LoadedConfig {
  /** All layers merged. */
  readonly config: Config
  /** The layers, the strongest first. */
  readonly layers: readonly Layer[]
  /** The profile used when a call names none. */
  readonly selected: string
  /** What selected it. */
  readonly selectedBy: Source
  /** Where bundles are kept, always absolute. */
  readonly cacheDir: string
  /** Where jobs are recorded, always absolute. */
  readonly storeDir: string
  /** Configuration files that were read, the strongest first. */
  readonly files: readonly string[]
  /** The source of every leaf, by its path joined with NUL (a profile's name may hold dots). */
  readonly sources: ReadonlyMap<string, Source>
}

/** A profile with every default filled in. Whom it notifies stands apart: it is not for the record. */
export interface ResolvedProfile extends Omit<Profile, keyof NotifyOptions> {
  transport: 'local' | 'ssh' | 'openssh'
  workdir: string
  resources: Resources
  environment: Environment & { node: string }
  queryInterval: Duration
  filePoll: Duration
  grace: Duration
  keep: 'failed' | 'all' | 'none'
  keepFor: Duration
  keepBlobs: Duration
  interrupt: 'cancel' | 'detach' | 'ask'
  /** Of all configuration files. */
  deniedMounts?: readonly string[]
}
