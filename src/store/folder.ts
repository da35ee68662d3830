import { mkdirSync, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { FarcallError } from '../core/errors.ts'
import { unwritable } from './failures.ts'

/** Where jobs are recorded when no `store` is configured. Homes are shared between machines: one store for each. */
export function storeFolder(
  env: Readonly<Record<string, string | undefined>>,
  home: string,
  hostname: string,
): string {
  const state = env['XDG_STATE_HOME']
  // XDG: a relative value is to be ignored.
  const base = state && isAbsolute(state) ? state : join(home, '.local', 'state')
  return join(base, 'farcall', hostname.replace(/[^A-Za-z0-9._-]/g, '_') || 'localhost')
}

/**
 * Makes the folder, or sees that it is ours alone to write.
 * @throws FarcallError STORE_UNSAFE, STORE_UNWRITABLE
 */
export function prepareFolder(folder: string, uid = process.getuid?.()): void {
  let stat: ReturnType<typeof statSync>
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    stat = statSync(folder)
  } catch (error) {
    throw unwritable(error, folder)
  }
  if (uid !== undefined && stat.uid !== uid)
    throw unsafe(`${folder} belongs to uid ${stat.uid}, not to you (uid ${uid})`, 'name a folder of your own')
  if ((stat.mode & 0o022) !== 0)
    throw unsafe(
      `${folder} can be written to by others (mode ${(stat.mode & 0o777).toString(8)})`,
      `chmod go-w ${folder}, or name another folder`,
    )
}

function unsafe(message: string, way: string): FarcallError {
  return new FarcallError('STORE_UNSAFE', `jobs are not recorded: ${message}`, {
    hint: `${way}: \`store\` in the configuration, or FARCALL_STORE`,
  })
}
