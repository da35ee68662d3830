import { join } from 'node:path'
import { included, readConfig } from './ssh-config-include.ts'
import { configLines, splitWords } from './ssh-config-lines.ts'

const deepest = 16

/**
 * The hosts that the user's ssh configuration names one by one, in its order: no patterns, and no hosts of programs like
 * git, whose login is no person's.
 * @throws ConfigError CONFIG_INVALID for a file that cannot be read
 */
export function namedHosts(file: string, here: { home: string; systemFile: string }): string[] {
  const found = new Map<string, { isGit: boolean }>()
  const read = (path: string, depth: number) => {
    let names: string[] = []
    for (const { keyword, rest, line } of configLines(readConfig(path, false))) {
      const words = () => splitWords(rest, `${path}:${line}`)
      if (keyword === 'host') {
        names = words().filter((word) => !/[*?!]/.test(word))
        for (const name of names) if (!found.has(name)) found.set(name, { isGit: false })
      } else if (keyword === 'match') names = []
      else if (keyword === 'user' && words()[0] === 'git')
        for (const name of names) found.get(name)!.isGit = true
      else if (keyword === 'include' && depth < deepest)
        for (const pattern of words())
          for (const other of included(pattern, path, here)) read(other, depth + 1)
    }
  }
  read(file, 0)
  return [...found].flatMap(([name, { isGit }]) => (isGit ? [] : [name]))
}

/** ~/.ssh/config of somebody's. */
export const userSshConfig = (home: string) => join(home, '.ssh/config')
