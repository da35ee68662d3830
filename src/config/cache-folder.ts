import { isAbsolute, join } from 'node:path'

/**
 * Where bundles are kept on this machine between processes: FARCALL_CACHE_DIR, else farcall/ in XDG_CACHE_HOME.
 * Not a key of configuration files: a call takes its snapshot before any file could be read.
 */
export function cacheFolder(env: NodeJS.ProcessEnv, home: string): string {
  const own = env['FARCALL_CACHE_DIR']
  if (own) return own
  const caches = env['XDG_CACHE_HOME']
  return join(caches && isAbsolute(caches) ? caches : join(home, '.cache'), 'farcall')
}
