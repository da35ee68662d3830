import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach } from 'vitest'
import { type LoadOptions, loadConfig } from '../../src/config/load.ts'
import { removeFolder } from '../remove-folder.ts'

const made: string[] = []
afterEach(() => {
  for (const folder of made.splice(0)) removeFolder(folder)
})

/** A folder with home/, home/project/ and etc/, files by path within it, and a loader that looks only there. */
export function folders(files: Record<string, string | object> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'farcall-config-test-'))
  made.push(root)
  const write = (path: string, content: string | object) => {
    const file = join(root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
    return file
  }
  const home = join(root, 'home')
  const cwd = join(home, 'project')
  const siteDir = join(root, 'etc')
  for (const folder of [cwd, siteDir]) mkdirSync(folder, { recursive: true })
  for (const [path, content] of Object.entries(files)) write(path, content)
  const load = (options: LoadOptions = {}) =>
    loadConfig({ cwd, home, siteDir, env: {}, runtime: {}, ...options })
  return { root, home, cwd, siteDir, write, load }
}

/** Files of each layer, inside `folders`. */
export const projectFile = 'home/project/farcall.config.json'
export const userFile = 'home/.config/farcall/config.json'
export const siteFile = 'etc/config.json'
