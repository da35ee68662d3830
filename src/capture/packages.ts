import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
import { CaptureError } from '../core/errors.ts'
import { readJson } from './sources.ts'
import type { BundlePackage, PackageChoices } from './types.ts'

interface Manifest {
  name?: string
  version?: string
  gypfile?: boolean
  binary?: unknown
  napi?: unknown
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  scripts?: Record<string, string>
}

const loaders = new Set([
  'bindings',
  'node-gyp-build',
  'prebuild-install',
  'node-addon-api',
  '@mapbox/node-pre-gyp',
  'nan',
])
const known = new Map<string, string | undefined>()

/** Which packages stay out of a bundle. */
export class Packages {
  readonly #choices: PackageChoices
  /** Folder that names are looked up from. */
  readonly #root: string
  /** By folder, and why: packages that turned out only by a file that was in the bundle. */
  readonly #left = new Map<string, string>()
  #leftMore = false
  readonly #found = new Map<string, BundlePackage>()

  constructor(choices: PackageChoices, root: string) {
    this.#choices = choices
    this.#root = root
  }

  /** A package that the settings name, by what imports it from a file of `from`; undefined: it is to be resolved. */
  chosen(specifier: string, from: string): string | undefined {
    if (!isPackage(specifier)) return undefined
    const name = packageName(specifier)
    if (!this.#choices.install.includes(name)) return undefined
    const folder = findPackage(name, from)
    // Not here; the cluster gets it by its version.
    if (folder === undefined) return specifier
    return this.#import(name, folder, 'the settings say so', specifier.slice(name.length))
  }

  /**
   * How the bundle imports a file of a package that cannot be in it; undefined: it can.
   * @throws CaptureError CAPTURE_EXTERNAL for a compiled file of no package
   */
  external(path: string, specifier: string, importer: string): string | undefined {
    if (!path.includes('/node_modules/')) {
      if (path.endsWith('.node')) throw ownAddon(path, importer)
      return undefined
    }
    const { folder, name } = packageOf(path)
    if (this.#choices.bundle.includes(name) && !path.endsWith('.node')) return undefined
    if (!known.has(folder)) known.set(folder, whyNative(folder))
    if (path.endsWith('.node') && !this.#left.has(folder)) this.#leave(folder, 'it has native add-ons')
    const why = this.#left.get(folder) ?? known.get(folder)
    if (why === undefined) return undefined
    if (folder.includes('/.yarn/')) throw plugAndPlay(name, why)
    const within = isPackage(specifier)
      ? specifier.slice(packageName(specifier).length)
      : path.slice(folder.length)
    return this.#import(name, folder, why, within)
  }

  /**
   * Whether a bundle with these files must be made again without some packages: they read files beside them, which
   * are not there.
   */
  leavesMore(paths: readonly string[]): boolean {
    for (const path of paths) {
      if (!path.includes('/node_modules/')) continue
      const { folder, name } = packageOf(path)
      if (this.#choices.bundle.includes(name) || this.#left.has(folder) || !readsFolder(path)) continue
      this.#leave(folder, `it reads files of its own folder (${path.slice(folder.length + 1)})`)
    }
    const more = this.#leftMore
    this.#leftMore = false
    return more
  }

  #leave(folder: string, why: string): void {
    this.#left.set(folder, why)
    this.#leftMore = true
  }

  /** Those among what a bundle imports. */
  among(specifiers: Iterable<string>): BundlePackage[] {
    const aliases = new Set([...specifiers].map(packageName))
    return [...this.#found.values()]
      .filter(({ alias }) => aliases.has(alias))
      .sort((a, b) => (a.alias < b.alias ? -1 : 1))
  }

  #import(name: string, folder: string, why: string, rest: string): string {
    const real = realpathSync(folder)
    const atRoot = findPackage(name, this.#root)
    const version = readJson<Manifest>(join(real, 'package.json'))?.version ?? '0.0.0'
    // Of two versions in one bundle only one can have the plain name.
    const isPlain = atRoot === undefined || realpathSync(atRoot) === real
    const alias = isPlain ? name : `@farcall/${name.replace('@', '').replace('/', '-')}-${version}`
    this.#found.set(alias, { alias, name, version, folder: real, why })
    return alias + rest
  }
}

/** Whoever names its own place reads, starts or loads something that lies beside it. */
const ownPlace =
  /\b(?:__dirname|__filename|import\.meta\.(?:url|dirname|filename|resolve)|require\.resolve|process\.dlopen)\b/

const readers = new Map<string, boolean>()

function readsFolder(path: string): boolean {
  let reads = readers.get(path)
  if (reads === undefined) {
    reads = ownPlace.test(readFileSync(path, 'utf8'))
    readers.set(path, reads)
  }
  return reads
}

const isPackage = (specifier: string) =>
  /^[^./#]/.test(specifier) && !specifier.includes(':') && !isBuiltin(specifier)

/** '@scope/name/deep/file.js' -> '@scope/name' */
export function packageName(path: string): string {
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/')
}

function packageOf(path: string): { folder: string; name: string } {
  const at = path.lastIndexOf('/node_modules/') + '/node_modules/'.length
  const name = packageName(path.slice(at))
  return { folder: path.slice(0, at) + name, name }
}

function findPackage(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name)
    if (existsSync(join(path, 'package.json'))) return path
    if (dirname(folder) === folder) return undefined
  }
}

function whyNative(folder: string): string | undefined {
  const manifest = readJson<Manifest>(join(folder, 'package.json'))
  if (!manifest) return undefined
  if (manifest.gypfile || existsSync(join(folder, 'binding.gyp'))) return 'it is compiled with node-gyp'
  if (manifest.napi || (manifest.binary && typeof manifest.binary === 'object'))
    return 'it has native add-ons'
  if (manifest.scripts?.['install'] ?? manifest.scripts?.['preinstall']) return 'it has an install script'
  const loader = Object.keys(manifest.dependencies ?? {}).find((d) => loaders.has(d))
  if (loader) return `it loads native add-ons with ${loader}`
  const platform = Object.keys(manifest.optionalDependencies ?? {}).find((d) => /linux-?(x64|arm64)/.test(d))
  if (platform) return `it has a part for each platform, such as ${platform}`
  if (readdirSync(folder).some((f) => f.endsWith('.node'))) return 'it has native add-ons'
  return undefined
}

function plugAndPlay(name: string, why: string): CaptureError {
  return new CaptureError(
    'CAPTURE_EXTERNAL',
    `the package '${name}' cannot be bundled, since ${why}, and Yarn's Plug'n'Play has installed it in no node_modules`,
    { hint: 'set `nodeLinker: node-modules` in .yarnrc.yml, and run yarn install' },
  )
}

function ownAddon(path: string, importer: string): CaptureError {
  const by = importer && !importer.startsWith('farcall-') ? ` (imported by ${dirname(importer)})` : ''
  return new CaptureError('CAPTURE_EXTERNAL', `${path} cannot be bundled: it is a native add-on${by}`, {
    hint: 'put it into a package of its own, install that, and import the package',
  })
}
