import { FarcallError } from '../core/errors.ts'
import { sqliteCode } from './database.ts'

const hint =
  'make room or permission there, or name another folder: `store` in the configuration, or FARCALL_STORE'

/** What SQLite and the filesystem say when a store cannot be written, in words of ours; another error as it is. */
export function unwritable(error: unknown, folder: string): unknown {
  const why = reasonOf(error)
  if (why === undefined) return error
  return new FarcallError('STORE_UNWRITABLE', `jobs cannot be recorded in ${folder}: ${why}`, {
    cause: error,
    hint,
  })
}

function reasonOf(error: unknown): string | undefined {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'MODULE_NOT_FOUND') return `libsql has no binary for this machine (${message.split('\n')[0]})`
  switch (sqliteCode(error)) {
    case 5:
      return 'another process of yours has held it for a minute'
    case 8:
      return 'it is read-only'
    case 10:
      return `the disk fails or is full (${message})`
    case 13:
      return 'the disk is full, or your quota used up'
    case 14:
      return `the file cannot be opened (${message})`
  }
  const words: Record<string, string> = {
    ENOSPC: 'the disk is full',
    EDQUOT: 'your quota is used up',
    EROFS: 'it is read-only',
    EACCES: `permission denied (${message})`,
    EPERM: `permission denied (${message})`,
    ENOTDIR: `a part of the path is no folder (${message})`,
    // Node says so too when a parent folder is read-only.
    ENOENT: `it cannot be made (${message})`,
    EIO: `the disk fails (${message})`,
  }
  return code === undefined ? undefined : words[code]
}
