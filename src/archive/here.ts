import { readFileSync } from 'node:fs'
import type { Platform } from './needs.ts'

let known: Platform | undefined

/** The machine and Node of this process. */
export function platformHere(): Platform {
  known ??= {
    platform: process.platform,
    arch: process.arch,
    ...(process.platform === 'linux' ? libcHere() : {}),
    ...(process.versions.modules === undefined ? {} : { abi: process.versions.modules }),
  }
  return known
}

/** By the text of ldd, which is a script and there where programs are; the report of Node takes 100 ms and more. */
function libcHere(): Pick<Platform, 'libc' | 'glibc'> {
  try {
    const text = readFileSync('/usr/bin/ldd', 'latin1')
    if (text.includes('musl')) return { libc: 'musl' }
    const version = /^.*\bldd\b.* (2\.\d+)/m.exec(text)?.[1]
    if (text.includes('GNU C Library') || version)
      return { libc: 'glibc', ...(version === undefined ? {} : { glibc: version }) }
  } catch {
    // no such file, as in small containers: Node itself knows
  }
  const report = process.report as { excludeNetwork?: boolean; getReport(): unknown }
  // Else it looks up the names of all peers of open connections.
  report.excludeNetwork = true
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } }
  const glibc = header.glibcVersionRuntime
  return glibc === undefined ? { libc: 'musl' } : { libc: 'glibc', glibc }
}
