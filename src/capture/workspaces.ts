import { existsSync, realpathSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { conditions } from './aliases.ts'
import { readJson } from './sources.ts'

interface Manifest {
  exports?: unknown
  module?: string
  main?: string
}

/** The file of a package of the same repository, which node_modules only links to; undefined: it is installed. */
export function workspaceTarget(specifier: string, folder: string): string | undefined {
  const match = /^((?:@[^/]+\/)?[^/.@#:][^/:]*)(\/.+)?$/.exec(specifier)
  if (!match || isAbsolute(specifier)) return undefined
  const [, name = '', within = ''] = match
  for (let at = folder; ; at = dirname(at)) {
    const link = join(at, 'node_modules', name)
    if (existsSync(link)) {
      const real = realpathSync(link)
      return real.includes('/node_modules/') ? undefined : entryOf(real, `.${within}`)
    }
    if (dirname(at) === at) return undefined
  }
}

function entryOf(folder: string, subpath: string): string | undefined {
  const manifest = readJson<Manifest>(join(folder, 'package.json')) ?? {}
  const { exports } = manifest
  if (exports === undefined)
    return join(folder, subpath === '.' ? (manifest.module ?? manifest.main ?? 'index.js') : subpath)
  const isMap =
    typeof exports === 'object' && exports !== null && Object.keys(exports).some((k) => k[0] === '.')
  const entries = isMap ? Object.entries(exports) : [['.', exports] as const]
  for (const [pattern, value] of entries) {
    const [head = '', tail] = pattern.split('*')
    const fits = tail === undefined ? subpath === pattern : subpath.startsWith(head) && subpath.endsWith(tail)
    const target = fits ? conditions(value)[0] : undefined
    if (target === undefined) continue
    const star = tail === undefined ? '' : subpath.slice(head.length, subpath.length - tail.length)
    return join(folder, target.replace('*', star))
  }
  return undefined
}
