import { homedir } from 'node:os'
import { dirname } from 'node:path'
import { BuildError, type BuildRequest } from '../../archive/build.ts'
import { platformHere } from '../../archive/here.ts'
import { closureOf, findPackage } from '../../archive/installed.ts'
import type { Platform } from '../../archive/needs.ts'
import type { Bundle, BundlePackage, PackageChoices } from '../../capture/types.ts'
import { cacheFolder } from '../../config/cache-folder.ts'
import { CaptureError, ConfigError } from '../../core/errors.ts'
import { readPackageSettings } from '../../core/package-settings.ts'
import type { JobSpec, PackagesRef } from '../../core/protocol.ts'
import type { Executor } from '../../executor/executor.ts'
import { archiveFile } from '../../packages/cache.ts'
import { fromInstalled } from '../../packages/from-installed.ts'
import { fromNpm, requestFor } from '../../packages/from-npm.ts'
import type { WantedPackage } from '../../packages/wanted.ts'
import { here, isThisProgram, type NodePlace, nodesAt } from './node-seen.ts'

const cacheDir = () => cacheFolder(process.env, homedir())

export interface PackagesQuestion {
  readonly bundle: Bundle
  readonly at: NodePlace
  readonly executor: Executor
  /** A file of the project, or its folder. */
  readonly file: string | undefined
}

/**
 * An archive of the packages that the bundle imports and does not hold; undefined: it holds all.
 * @throws CaptureError PACKAGES_UNAVAILABLE, ConfigError
 */
export async function packagesFor(question: PackagesQuestion): Promise<PackagesRef | undefined> {
  const { bundle, at, file } = question
  const project = file === undefined ? process.cwd() : dirname(file)
  const wanted = wantedOf(bundle.packages, at, project)
  if (wanted.length === 0) return undefined
  const own = platformHere()
  const there = platformAt(at) ?? own
  const installed = await fromInstalled(wanted, own, there, cacheDir())
  if (!('unfit' in installed)) return installed
  return byNpm(question, wanted, there, project, installed.unfit)
}

/** For who bundles. */
export function packageChoices({ environment }: Pick<NodePlace, 'environment'>): PackageChoices {
  const { install, bundle } = readPackageSettings(environment.packages)
  return { install: [...install.keys()], bundle }
}

function wantedOf(
  found: readonly BundlePackage[],
  { environment }: NodePlace,
  project: string,
): WantedPackage[] {
  const { install } = readPackageSettings(environment.packages)
  const wanted = found.map((one): WantedPackage => {
    const version = install.get(one.name)
    return version === undefined || version === one.version ? one : { ...one, version, folder: undefined }
  })
  // What the bundle imports by a name that only it knows.
  for (const [name, version] of install) {
    if (wanted.some((one) => one.alias === name)) continue
    const folder = findPackage(name, project)
    const installed =
      folder === undefined ? undefined : closureOf([{ alias: name, name, folder }]).roots.get(name)!.version
    if (version === undefined && installed === undefined)
      throw new ConfigError('OPTION_INVALID', `environment.packages: '${name}' is not installed here`, {
        hint: `install it, or say which version the cluster is to have: { '${name}': '1.2.3' }`,
      })
    const isHere = version === undefined || version === installed
    wanted.push({ alias: name, name, version: version ?? installed!, folder: isHere ? folder : undefined })
  }
  return wanted
}

/** What Node calls what `uname -m` says, where these are not the same. */
const archs: Readonly<Record<string, string>> = {
  x86_64: 'x64',
  aarch64: 'arm64',
  armv7l: 'arm',
  ppc64le: 'ppc64',
  loongarch64: 'loong64',
}

/**
 * The machine and Node of the last job there. Undefined: nothing is known; they are taken to be like this one, and
 * say so when they are not.
 */
function platformAt(at: NodePlace): Platform | undefined {
  const now = here()
  const [last] = isThisProgram(at, now) ? [] : nodesAt(at, now)
  if (!last?.platform) return undefined
  const { arch, glibc, musl } = last.platform
  return {
    platform: 'linux',
    arch: archs[arch] ?? arch,
    ...(musl ? { libc: 'musl' } : glibc === '' ? {} : { libc: 'glibc', glibc }),
    ...(last.abi === undefined ? {} : { abi: last.abi }),
  }
}

const madeThere = new WeakMap<Executor, Map<string, PackagesRef>>()

/** Installed there, where npm is and reaches a registry; else here. */
async function byNpm(
  { executor, at }: PackagesQuestion,
  wanted: readonly WantedPackage[],
  there: Platform,
  project: string,
  unfit: string,
): Promise<PackagesRef> {
  const request = requestFor(wanted, there, project)
  const known = madeThere.get(executor)?.get(request.key)
  if (known) return known
  const failures: string[] = [`as installed here: ${unfit}`]
  const attempt = async (where: string, make: () => Promise<PackagesRef>) => {
    try {
      return await make()
    } catch (error) {
      if (!(error instanceof BuildError)) throw error
      failures.push(`${where}: ${error.message}`)
      return undefined
    }
  }
  const made = await attempt(`on ${executor.name}`, () => makeThere(executor, request, at))
  const result = made ?? (await attempt('by npm here', () => fromNpm(request, there, cacheDir())))
  if (result) return result
  const names = wanted.map(({ name, version }) => `${name}@${version}`).join(', ')
  const machine = [`${there.platform}-${there.arch}`, there.libc, there.abi && `ABI ${there.abi}`]
  throw new CaptureError(
    'PACKAGES_UNAVAILABLE',
    `${names} cannot be had for ${machine.filter(Boolean).join(', ')}:\n  ${failures.join('\n  ')}`,
    {
      hint: 'give jobs an npm that reaches a registry, and a compiler where packages need one (environment.modules, environment.path), or call from a machine like those with the same Node',
    },
  )
}

async function makeThere(executor: Executor, request: BuildRequest, { environment }: NodePlace) {
  if (!executor.makePackages) throw new BuildError('nothing can be installed there')
  const made = await executor.makePackages(request, environment)
  const all = madeThere.get(executor) ?? new Map<string, PackagesRef>()
  madeThere.set(executor, all.set(request.key, made))
  return made
}

/** Where the archive of a job's packages lies here: needed when the place has lost it. */
export function archiveOf({ packages }: JobSpec): { archive?: string } {
  const archive = packages && archiveFile(cacheDir(), packages.archive)
  return archive === undefined ? {} : { archive }
}

/** What was made there is no longer there. */
export function forgetMade(executor: Executor): void {
  madeThere.delete(executor)
}

/** Names and versions of all that the bundle needs beside it: with others a call is another one. */
export function packageNames({ packages }: Bundle): string[] {
  if (packages.length === 0) return []
  const { all } = closureOf(packages)
  return [...all.values()].map(({ name, version }) => `${name}@${version}`).sort()
}
