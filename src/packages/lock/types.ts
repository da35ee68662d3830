/** A package as a lockfile has it. */
export interface LockedPackage {
  readonly name: string
  readonly version: string
  /** As npm writes it; yarn berry has only a checksum of its own. */
  readonly integrity?: string
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
  /** What it needs, by the name that it imports it by; read when asked for, since they may need each other. */
  needs(): readonly Need[]
}

export interface Need {
  readonly name: string
  readonly optional: boolean
  /** Only where somebody else has it installed. */
  readonly peer?: boolean
  /** Undefined: the lockfile has no such package, as of a part for another platform. */
  readonly to: LockedPackage | undefined
  /** What was asked for: '^1.2.3'. */
  readonly range: string
}

export interface Lockfile {
  /** For messages: 'package-lock.json'. */
  readonly file: string
  find(name: string, version: string): LockedPackage | undefined
}

export interface Dependencies {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** All needs of an entry; npm lists optional ones among the others, too. */
export function needsIn(
  { dependencies, optionalDependencies, peerDependencies }: Dependencies,
  resolve: (name: string, range: string) => LockedPackage | undefined,
): Need[] {
  const found = new Map<string, Need>()
  const add = (list: Readonly<Record<string, string>> | undefined, optional: boolean, more = {}) => {
    for (const [name, range] of Object.entries(list ?? {}))
      found.set(name, { name, range, optional, to: resolve(name, range), ...more })
  }
  // Peers that are missing are missed by nobody: whoever has installed them saw to that.
  add(peerDependencies, true, { peer: true })
  add(dependencies, false)
  add(optionalDependencies, true)
  return [...found.values()]
}
