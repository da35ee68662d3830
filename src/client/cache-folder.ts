import { homedir } from 'node:os'
import { join } from 'node:path'
import { getConfig } from '../config/runtime.ts'

/** Where bundles are kept between processes. Known without reading files: a call takes its snapshot at once. */
export function cacheFolder(): string {
  const { env } = process
  return (
    getConfig().cacheDir ??
    env['FARCALL_CACHE_DIR'] ??
    join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'farcall')
  )
}
