import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Debian's Lmod cannot be installed beside Environment Modules: its packages, and the Lua ones that it needs. */
const packages = ['lmod', 'lua5.3', 'lua-filesystem', 'lua-json', 'lua-posix', 'lua-term']

/**
 * Unpacks Lmod from Debian's packages into a folder of its own, where all may read it; gives its LMOD_PKG. apt-get
 * downloads them, into `folder` too.
 */
export function unpackLmod(folder: string): string {
  const root = join(folder, 'root')
  const home = join(root, 'usr/share/lmod/lmod')
  if (existsSync(join(home, 'init/sh'))) return home
  mkdirSync(root, { recursive: true })
  const run = (command: string, args: readonly string[]) =>
    execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const download = () => run('apt-get', ['-q', '-o', 'Acquire::Retries=3', 'download', ...packages])
  try {
    download()
  } catch {
    // Lists that are missing or old.
    run('apt-get', ['-q', 'update'])
    download()
  }
  for (const name of readdirSync(folder)) if (name.endsWith('.deb')) run('dpkg', ['-x', name, root])
  // Its files name each other by full paths.
  const script = `grep -rIlE '/usr/(share|lib|bin)/[a-z0-9_./-]*(lua|lmod)' usr/share/lmod |
    xargs sed -i -E "s#/usr/(share/lmod|share/lua|bin/lua5.3|lib/[a-z0-9_-]+/lua|lib/lua)#$1/usr/\\\\1#g"
    chmod -R a+rX .`
  execFileSync('sh', ['-c', script, 'sh', root], { cwd: root })
  return home
}
