import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import type { PlatformNeeds } from '../core/protocol.ts'
import type { ArchiveEntry } from './write.ts'

/** A machine, and the Node on it. */
export interface Platform {
  readonly platform: string
  readonly arch: string
  readonly libc?: 'glibc' | 'musl'
  /** Its version. */
  readonly glibc?: string
  readonly abi?: string
}

const nodeApi = ['napi_register_module_v1', 'napi_module_register']

/** What the compiled parts of an archive, made for `made`, need of a machine. */
export function needsOf(entries: readonly ArchiveEntry[], made: Platform): PlatformNeeds {
  let compiled = false
  let usesAbi = false
  let glibc: string | undefined
  for (const { path, source } of entries) {
    if (source === undefined || !compiledName.test(path) || !isBinary(source)) continue
    const isAddon = path.endsWith('.node')
    compiled = true
    const content = readFileSync(source)
    if (isAddon && !nodeApi.some((name) => content.includes(name))) usesAbi = true
    if (isFor(content, made)) glibc = newest(glibc, glibcOf(content))
  }
  if (!compiled) return {}
  const { platform, arch, libc, abi } = made
  return {
    platform,
    arch,
    ...(libc === undefined ? {} : { libc }),
    ...(libc === 'glibc' && glibc !== undefined ? { glibc } : {}),
    ...(usesAbi && abi !== undefined ? { abi } : {}),
  }
}

/** Add-ons and libraries; programs have no ending. */
const compiledName = /\.(node|so|dylib|dll)$|\.so\.[\d.]+$|\/[^/.]+$/

const magics = ['7f454c46', 'cffaedfe', 'feedfacf', 'cafebabe']

function isBinary(path: string): boolean {
  const start = Buffer.alloc(4)
  const fd = openSync(path, 'r')
  try {
    readSync(fd, start, 0, 4, 0)
  } finally {
    closeSync(fd)
  }
  return magics.includes(start.toString('hex')) || start.toString('latin1', 0, 2) === 'MZ'
}

const machines: Readonly<Record<string, number>> = { x64: 62, arm64: 183, ppc64: 21, s390x: 22, riscv64: 243 }

/** An ELF file for this architecture. */
function isFor(content: Buffer, { platform, arch }: Platform): boolean {
  if (platform !== 'linux' || content.toString('latin1', 1, 4) !== 'ELF') return false
  const machine = content[5] === 2 ? content.readUInt16BE(18) : content.readUInt16LE(18)
  return machines[arch] === undefined || machines[arch] === machine
}

/** The newest version of glibc that a file names. */
function glibcOf(content: Buffer): string | undefined {
  let found: string | undefined
  for (let at = content.indexOf('GLIBC_2.'); at >= 0; at = content.indexOf('GLIBC_2.', at + 8)) {
    const version = /^GLIBC_(2\.\d+)\0?/.exec(content.toString('latin1', at, at + 14))?.[1]
    if (version !== undefined) found = newest(found, version)
  }
  return found
}

function newest(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return isOlder(a, b) ? b : a
}

/** Of versions like '2.17'. */
export function isOlder(a: string, b: string): boolean {
  const [x = 0, y = 0] = a.split('.').map(Number)
  const [v = 0, w = 0] = b.split('.').map(Number)
  return x < v || (x === v && y < w)
}

/** Why packages do not run on a machine; undefined: they do, as far as that is known. */
export function misfit(needs: PlatformNeeds, there: Platform): string | undefined {
  const { platform = there.platform, arch = there.arch, libc, glibc, abi } = needs
  if (platform !== there.platform || arch !== there.arch)
    return `they are for ${platform}-${arch}, and this is ${there.platform}-${there.arch}`
  if (libc !== undefined && there.libc !== undefined && libc !== there.libc)
    return `they are for ${libc}, and this is ${there.libc}`
  if (glibc !== undefined && there.glibc !== undefined && isOlder(there.glibc, glibc))
    return `they need glibc ${glibc}, and this is ${there.glibc}`
  if (abi !== undefined && there.abi !== undefined && abi !== there.abi)
    return `they are compiled for Node's ABI ${abi}, and this Node has ${there.abi}`
  return undefined
}
