import type { ErrorCode } from '../core/error-codes.ts'
import { FarcallError } from '../core/errors.ts'

/** What the process ends with; `farcall run` and `farcall shell` have those of what they run. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  configuration: 3,
  connection: 4,
  refused: 5,
  interrupted: 130,
} as const

type Kind = Exclude<keyof typeof exitCodes, 'done' | 'interrupted'>

/** Total on purpose: a new code makes the compiler ask what it ends with. docs/cli.md has the same table. */
export const kindOfCode: Readonly<Record<ErrorCode, Kind>> = {
  CONFIG_INVALID: 'configuration',
  CONFIG_UNREADABLE: 'configuration',
  PROFILE_UNKNOWN: 'configuration',
  OPTION_UNKNOWN: 'usage',
  OPTION_INVALID: 'usage',
  UNIT_INVALID: 'usage',
  RESOURCE_UNSUPPORTED: 'refused',
  VALUE_UNSAFE: 'usage',
  SECRET_MISSING: 'configuration',
  SCHEDULER_UNKNOWN: 'configuration',
  TEMPLATE_INVALID: 'configuration',
  CAPTURE_SOURCE_MISSING: 'refused',
  CAPTURE_REFUSED: 'refused',
  CAPTURE_EXTERNAL: 'refused',
  PACKAGES_UNAVAILABLE: 'refused',
  BUNDLE_FAILED: 'refused',
  INPUT_FAILED: 'refused',
  VALUE_REFUSED: 'refused',
  RESULT_CORRUPT: 'failed',
  RESULT_MISSING: 'failed',
  RESULT_HANDED_OUT: 'failed',
  PROTOCOL_NEWER: 'configuration',
  HOST_UNREACHABLE: 'connection',
  HOST_KEY_UNKNOWN: 'connection',
  HOST_KEY_CHANGED: 'connection',
  HOST_KEY_REVOKED: 'connection',
  LOGIN_REFUSED: 'connection',
  LOGIN_INTERACTIVE: 'connection',
  CONNECTION_LOST: 'connection',
  PORT_TAKEN: 'usage',
  COMMAND_FAILED: 'connection',
  COMMAND_TIMEOUT: 'connection',
  FILE_TRANSFER_FAILED: 'connection',
  FILE_MISSING: 'failed',
  FILE_DENIED: 'failed',
  FILE_EXISTS: 'failed',
  FILE_WRONG_TYPE: 'failed',
  FILE_REFUSED: 'failed',
  FOLDER_NOT_EMPTY: 'failed',
  DISK_FULL: 'refused',
  OUTPUT_MISSING: 'failed',
  WORKDIR_UNSAFE: 'configuration',
  WORKDIR_UNUSABLE: 'configuration',
  STORE_UNWRITABLE: 'configuration',
  STORE_UNSAFE: 'configuration',
  STORE_NEWER: 'configuration',
  SCHEDULER_MISSING: 'configuration',
  SUBMIT_REFUSED: 'refused',
  REQUEST_FORBIDDEN: 'refused',
  SUBMIT_LIMIT: 'refused',
  DISK_LOW: 'refused',
  JOB_FAILED: 'failed',
  JOB_CANCELED: 'failed',
  WAIT_INTERRUPTED: 'failed',
  PARENT_FAILED: 'failed',
  JOB_UNKNOWN: 'usage',
  JOB_NOT_RUNNING: 'failed',
  INTERPRETER_MISSING: 'failed',
  STREAM_CHANGED: 'failed',
  CALLED_IN_JOB: 'usage',
  NOT_IN_JOB: 'usage',
  THREAD_ENDED: 'failed',
}

/** What an error ends the process with; one that is not ours, what a function threw, is a failure. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof FarcallError)) return exitCodes.failed
  // Of another copy of farcall, perhaps a newer one.
  return exitCodes[kindOfCode[error.code] ?? 'failed']
}
