import type { ErrorCode } from '../core/error-codes.ts'
import { FileError } from '../core/errors.ts'

const byErrno: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'FILE_MISSING',
  EACCES: 'FILE_DENIED',
  EPERM: 'FILE_DENIED',
  EROFS: 'FILE_DENIED',
  EEXIST: 'FILE_EXISTS',
  EISDIR: 'FILE_WRONG_TYPE',
  ENOTDIR: 'FILE_WRONG_TYPE',
  ENOTEMPTY: 'FOLDER_NOT_EMPTY',
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
}

/** As the C library says it under LC_ALL=C; musl says some otherwise. */
const byWords: readonly (readonly [RegExp, ErrorCode])[] = [
  [/Directory not empty/i, 'FOLDER_NOT_EMPTY'],
  [/No space left|Disk quota|Quota exceeded/i, 'DISK_FULL'],
  [/Permission denied|Operation not permitted|Read-only file system/i, 'FILE_DENIED'],
  [/File exists/i, 'FILE_EXISTS'],
  [/Not a directory|Is a directory|illegal operation on a directory/i, 'FILE_WRONG_TYPE'],
  [/No such file|nonexistent/i, 'FILE_MISSING'],
]

const hints: Readonly<Record<string, string>> = {
  FILE_MISSING: 'look at the folder with ls',
  FILE_DENIED: 'look at the permissions with stat, of the folders above it too',
  FOLDER_NOT_EMPTY: '{ recursive: true } removes all that is in it',
  DISK_FULL: 'free some space, or look at your quota',
}

/** An error of node:fs, as one of ours. */
export function fileFailure(verb: string, path: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  // Not of the file system: an abort, a mistake of ours.
  if (error instanceof FileError || typeof code !== 'string' || !/^E[A-Z0-9]+$/.test(code)) return error
  const words = /^E[A-Z0-9]+: ([^,]*)/.exec(message)?.[1] ?? message
  return made(byErrno[code] ?? 'FILE_TRANSFER_FAILED', verb, path, words, error)
}

/** What a command under LC_ALL=C wrote to stderr, as an error. */
export function fileFailureOf(verb: string, path: string, stderr: string, cause?: unknown): FileError {
  const found = byWords.map(([words, code]) => [words.exec(stderr), code] as const).find(([match]) => match)
  const [match, code] = found ?? []
  const words = match?.[0].toLowerCase() ?? (stderr.trim() || 'no word of why')
  return made(code ?? 'FILE_TRANSFER_FAILED', verb, path, words, cause ?? stderr)
}

function made(code: ErrorCode, verb: string, path: string, words: string, cause: unknown): FileError {
  const hint = hints[code]
  return new FileError(code, `${verb} ${path}: ${words}`, path, { cause, ...(hint ? { hint } : {}) })
}
