import { closeSync, openSync, readSync } from 'node:fs'
import { hostname } from 'node:os'
import type { InterpreterFacts, NodePlatform } from '../src/core/interpreter.ts'

const { FARCALL_JOB_NODE: from, FARCALL_JOB_PLATFORM: platform } = process.env
delete process.env['FARCALL_JOB_PLATFORM']

/** What is told of this Node, for the next job that comes here. */
export function interpreterFacts(): InterpreterFacts {
  return { ...(from ? { from } : {}), abi: process.versions.modules, platform: platformFacts() }
}

/** As job.sh found it, where it had to look. */
function platformFacts(): NodePlatform {
  if (platform) return JSON.parse(platform) as NodePlatform
  const arch = { x64: 'x86_64', arm64: 'aarch64' }[process.arch as string] ?? process.arch
  return { host: hostname(), arch, ...libcFacts(), stdcxx: '' }
}

/** ldd is a script of glibc that names its version, or a link to musl itself. process.report would cost 50 ms. */
function libcFacts(): Pick<NodePlatform, 'glibc' | 'musl'> {
  const text = beginningOf('/usr/bin/ldd')
  const glibc = /(?:GLIBC[^)]*|libc)\) (\d+\.\d+)/i.exec(text)?.[1] ?? ''
  return { glibc, musl: glibc === '' && text.includes('musl') }
}

function beginningOf(path: string): string {
  try {
    const fd = openSync(path, 'r')
    try {
      const bytes = Buffer.alloc(4096)
      return bytes.toString('latin1', 0, readSync(fd, bytes, 0, bytes.length, 0))
    } finally {
      closeSync(fd)
    }
  } catch {
    return '' // there is none, and nothing is known
  }
}
