import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ConfigError } from '../../core/errors.ts'
import { readNpmLock } from './npm.ts'
import { readPnpmLock } from './pnpm.ts'
import type { Lockfile } from './types.ts'
import { readYarnLock } from './yarn.ts'

const readers: readonly [string, (text: string) => Lockfile | undefined][] = [
  ['package-lock.json', readNpmLock],
  ['npm-shrinkwrap.json', readNpmLock],
  ['pnpm-lock.yaml', readPnpmLock],
  ['yarn.lock', readYarnLock],
]

/**
 * The lockfile of the project, or of the repository that it is a part of.
 * @throws ConfigError CONFIG_UNREADABLE for one that is none
 */
export function findLockfile(from: string): Lockfile | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    for (const [name, read] of readers) {
      const path = join(folder, name)
      if (!existsSync(path)) continue
      try {
        return read(readFileSync(path, 'utf8'))
      } catch (cause) {
        throw new ConfigError('CONFIG_UNREADABLE', `${path} cannot be read: ${String(cause)}`, {
          cause,
          hint: 'let your package manager write it anew',
        })
      }
    }
    if (dirname(folder) === folder) return undefined
  }
}
