import type { Platform } from '../archive/needs.ts'
import type { LockedPackage, Need } from './lock/types.ts'

/** A package that the bundle imports, as the lockfile has it. */
export interface LockedRoot {
  /** What the bundle calls it. */
  readonly alias: string
  readonly name: string
  readonly version: string
  /** Undefined: npm finds what it needs. */
  readonly to: LockedPackage | undefined
}

/** What npm installs from. */
export interface Subset {
  readonly manifest: object
  readonly lock: object
  /** name@version of all. */
  readonly names: readonly string[]
}

interface Placed {
  readonly path: string
  readonly to: LockedPackage
  readonly optional: boolean
}

/**
 * What of a lockfile some packages need on a machine, as a package.json with a package-lock.json of their own: any
 * lockfile becomes one that npm installs from.
 */
export function subsetOf(roots: readonly LockedRoot[], there: Platform): Subset {
  const placed = new Map<string, Placed>()
  const queue: Placed[] = []
  const place = (one: Placed) => {
    placed.set(one.path, one)
    queue.push(one)
  }
  for (const { alias, to } of roots) if (to) place({ path: `node_modules/${alias}`, to, optional: false })
  // Breadth first: what lies beside a package is placed before what lies below it, and so never between the two.
  for (let one = queue.shift(); one; one = queue.shift())
    for (const { name, to, optional } of one.to.needs()) {
      if (!to || (optional && !runsOn(to, there))) continue
      const seen = visible(placed, one.path, name)
      if (seen?.to === to) continue
      const path = seen === undefined ? `node_modules/${name}` : `${one.path}/node_modules/${name}`
      place({ path, to, optional: optional || one.optional })
    }
  const manifest = {
    name: 'farcall-packages',
    private: true,
    dependencies: Object.fromEntries(roots.map((root) => [root.alias, spec(root.alias, root)])),
    // npm says that it will refuse install scripts that nobody has approved: these are the user's own packages.
    allowScripts: Object.fromEntries(
      [...roots, ...[...placed.values()].map(({ to }) => to)].map(({ name }) => [name, true]),
    ),
  }
  const entries = [...placed.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
  const packages = Object.fromEntries(entries.map((one) => [one.path, entryOf(one, there)]))
  const lock = { lockfileVersion: 3, requires: true, packages: { '': { ...manifest }, ...packages } }
  const names = [...new Set(entries.map(({ to }) => `${to.name}@${to.version}`))].sort()
  return { manifest, lock, names }
}

function entryOf({ path, to, optional }: Placed, there: Platform): object {
  const specs = (wanted: (need: Need) => boolean) => {
    const some = to.needs().flatMap((need): [string, string][] => {
      if (!wanted(need) || !isWanted(need, there)) return []
      return [[need.name, need.to ? spec(need.name, need.to) : need.range]]
    })
    return some.length > 0 ? Object.fromEntries(some) : undefined
  }
  const { version, integrity, os, cpu, libc } = to
  return defined({
    name: path.endsWith(`node_modules/${to.name}`) ? undefined : to.name,
    version,
    integrity,
    os,
    cpu,
    libc,
    optional: optional || undefined,
    // npm then looks whether it has any.
    hasInstallScript: true,
    dependencies: specs((need) => !need.optional),
    optionalDependencies: specs((need) => need.optional),
  })
}

/** A part for this machine that the lockfile has left out (npm does, at times) is for npm to find. */
function isWanted({ name, to, optional, peer = false }: Need, there: Platform): boolean {
  if (!to) return !peer && (!optional || runsOn({ name }, there))
  return !optional || runsOn(to, there)
}

const spec = (name: string, { name: real, version }: Pick<LockedPackage, 'name' | 'version'>) =>
  name === real ? version : `npm:${real}@${version}`

function defined(record: Record<string, unknown>): object {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}

/** What an import of the name finds from a package: its own, then upward. */
function visible(placed: ReadonlyMap<string, Placed>, path: string, name: string): Placed | undefined {
  for (let folder = path; ; ) {
    const found = placed.get(folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`)
    if (found || folder === '') return found
    const above = folder.lastIndexOf('/node_modules/')
    folder = above < 0 ? '' : folder.slice(0, above)
  }
}

/** Names of parts for a platform, of lockfiles that do not say for which: 'sharp-linux-x64', 'swc-darwin-arm64'. */
const forPlatform =
  /(?:^|[-/_])(linuxmusl|linux|darwin|win32|freebsd|openbsd|netbsd|android|sunos|aix|openharmony)-(x64|arm64|arm|ia32|ppc64|s390x|riscv64|loong64|mips64el|universal|wasm32)(?:-(\w+))?$/

/** Whether an optional part is for the machine. */
export function runsOn(
  { name, os, cpu, libc }: Pick<LockedPackage, 'name' | 'os' | 'cpu' | 'libc'>,
  there: Platform,
): boolean {
  const allows = (list: readonly string[] | undefined, value: string | undefined) => {
    if (!list || value === undefined) return true
    if (list.includes(`!${value}`)) return false
    const positive = list.filter((one) => !one.startsWith('!'))
    return positive.length === 0 || positive.includes(value)
  }
  if (os ?? cpu ?? libc)
    return allows(os, there.platform) && allows(cpu, there.arch) && allows(libc, there.libc)
  if (/-wasm32(-\w+)?$/.test(name)) return false
  const [, system, arch, abi = ''] = forPlatform.exec(name) ?? []
  if (!system) return true
  const musl = system === 'linuxmusl' || abi.startsWith('musl')
  return (
    system.replace('musl', '') === there.platform &&
    (arch === there.arch || arch === 'universal') &&
    (system === 'darwin' || there.libc === undefined || musl === (there.libc === 'musl'))
  )
}
