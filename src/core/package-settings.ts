import type { Environment } from './profile.ts'

/** What `environment.packages` says, by name. */
export interface PackageSettings {
  /** Those that travel beside the bundle, and the version that is to be there; undefined: the one here. */
  readonly install: ReadonlyMap<string, string | undefined>
  /** Those that are bundled all the same. */
  readonly bundle: readonly string[]
}

/** A list names packages that are installed; a record says more of each. */
export function readPackageSettings(packages: Environment['packages']): PackageSettings {
  const all = Object.entries(asRecord(packages))
  const install = all.filter(([, how]) => how !== 'bundle')
  return {
    install: new Map(install.map(([name, how]) => [name, how === 'install' ? undefined : how])),
    bundle: all.flatMap(([name, how]) => (how === 'bundle' ? [name] : [])),
  }
}

/** Name by name. */
export function mergePackages(
  under: Environment['packages'],
  over: Environment['packages'],
): Record<string, string> {
  return { ...asRecord(under), ...asRecord(over) }
}

function asRecord(packages: Environment['packages'] = {}): Readonly<Record<string, string>> {
  return isList(packages) ? Object.fromEntries(packages.map((name) => [name, 'install'])) : packages
}

const isList = (packages: NonNullable<Environment['packages']>): packages is readonly string[] =>
  Array.isArray(packages)
