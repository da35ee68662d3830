import { FarcallError } from '../../core/errors.ts'
import type { NodePlatform } from '../../core/interpreter.ts'
import { compareVersions, describeVersions, isWanted, type NodeVersions } from '../../core/node-setting.ts'
import type { Elf } from './elf.ts'

/** A machine that a Node is chosen for. */
export interface Target {
  readonly platform: NodePlatform
  readonly versions: NodeVersions
  /** Whether these versions were asked for by name, and no others will do. */
  readonly isAsked: boolean
  /** Names of runtimes that do not start there. */
  readonly unfit: readonly string[]
}

/** The part of a runtime's name behind its version, and of its npm package's. */
const platformNames: Readonly<Record<string, string>> = { x86_64: 'linux-x64', aarch64: 'linux-arm64' }
const loaders: Readonly<Record<string, string>> = {
  x86_64: '/lib64/ld-linux-x86-64.so.2',
  aarch64: '/lib/ld-linux-aarch64.so.1',
}

/** What every Linux with glibc has; libstdc++ and libgcc come with its C++ programs. */
const usualLibraries = /^(libc|libm|libdl|libpthread|librt|libgcc_s|libstdc\+\+|ld-linux-[\w-]+)\.so\.\d+$/

/** Node's own builds: from 18 on they need glibc 2.28, before that 2.17. */
const glibcOf = (major: number) => (major >= 18 ? '2.28' : '2.17')

/** So many runtimes are tried on a machine. */
const mostUnfit = 2

const wayOut =
  'load Node there by a module, have it installed, name one with environment.node, or run the function in a container that has one'

/**
 * 'linux-x64'.
 * @throws FarcallError INTERPRETER_MISSING, where there is no Node that could be sent
 */
export function requirePlatform({ platform, versions, unfit }: Target): string {
  const { host, arch, glibc, musl, stdcxx } = platform
  const name = platformNames[arch]
  if (!name) throw cannot(`farcall has no Node for ${arch || 'the processor'} of ${host}`)
  if (glibc === '' && musl)
    throw cannot(
      `${host} has musl instead of glibc, and farcall has no Node for that (Alpine: apk add nodejs)`,
    )
  if (glibc === '')
    throw cannot(`${host} has no glibc where programs look for it, and farcall has no other Node`)
  if (compareVersions(glibc, '2.17') < 0)
    throw cannot(`${host} has glibc ${glibc}, and the oldest Node that farcall runs on needs 2.17`)
  const lowest = Number.parseInt(versions.prefix || versions.least, 10)
  if (compareVersions(glibc, glibcOf(lowest)) < 0)
    throw cannot(`${host} has glibc ${glibc}, and ${describeVersions(versions)} needs ${glibcOf(lowest)}`, {
      hint: `environment.node: 'auto' takes Node 16 there; else ${wayOut}`,
    })
  // What one lacks, the others lack: no machine is sent one after the other.
  if (unfit.length > 0 && stdcxx === '')
    throw cannot(`${host} has no libstdc++.so.6 where programs look for it, and Node needs that`, {
      hint: 'it comes with g++: environment.modules may load one (gcc), or your site installs it',
    })
  if (unfit.length >= mostUnfit) throw cannot(`${unfit.join(' and ')} do not start on ${host}`)
  return name
}

export function cannot(message: string, { hint = wayOut, cause }: { hint?: string; cause?: unknown } = {}) {
  return new FarcallError('INTERPRETER_MISSING', message, { hint, ...(cause === undefined ? {} : { cause }) })
}

/** Versions that may start there, the best first: the one that runs here, others of its major, then from the newest on. */
export function rankVersions(all: readonly string[], target: Target, here: string): string[] {
  const { platform, versions } = target
  const major = Number.parseInt(here, 10)
  const rank = (version: string) => {
    if (version === here) return 3
    const own = Number.parseInt(version, 10)
    if (own === major) return 2
    // Odd ones are not maintained.
    return own % 2 === 0 ? 1 : 0
  }
  return all
    .filter((version) => /^\d+\.\d+\.\d+$/.test(version) && isWanted(version, versions))
    .filter((version) => compareVersions(platform.glibc, glibcOf(Number.parseInt(version, 10))) >= 0)
    .sort((a, b) => rank(b) - rank(a) || compareVersions(b, a))
}

/** Why this program will not start there, as far as files can tell; undefined: it should. */
export function whyUnfit(elf: Elf | undefined, { platform, isAsked }: Target): string | undefined {
  if (!elf) return 'it is no program for Linux'
  if (elf.arch !== platform.arch) return `it is for ${elf.arch}`
  if (elf.loader !== loaders[platform.arch]) return `it is started by ${elf.loader || 'nothing'}`
  // What was asked for by name is tried; a library that is missing is then told of.
  const extra = elf.libraries.filter((library) => !usualLibraries.test(library))
  if (extra.length > 0 && !(isAsked && extra.join() === 'libatomic.so.1'))
    return `it needs ${extra.join(', ')}`
  if (compareVersions(platform.glibc, elf.glibc) < 0) return `it needs glibc ${elf.glibc}`
  const stdcxx = /^6\.0\.(\d+)$/.exec(platform.stdcxx)?.[1]
  if (stdcxx !== undefined && compareVersions(`3.4.${stdcxx}`, elf.glibcxx) < 0)
    return `it needs GLIBCXX_${elf.glibcxx} of libstdc++`
  return undefined
}
