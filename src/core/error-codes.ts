/** Every code a FarcallError can carry; each has a page docs/errors/CODE.md (a test holds that). */
export const errorCodes = [
  // what the user wrote
  'CONFIG_INVALID',
  'CONFIG_UNREADABLE',
  'PROFILE_UNKNOWN',
  'OPTION_UNKNOWN',
  'OPTION_INVALID',
  'UNIT_INVALID',
  'RESOURCE_UNSUPPORTED',
  'VALUE_UNSAFE',
  'SECRET_MISSING',
  'SCHEDULER_UNKNOWN',
  'TEMPLATE_INVALID',
  // taking the function along
  'CAPTURE_SOURCE_MISSING',
  'CAPTURE_REFUSED',
  'CAPTURE_EXTERNAL',
  'PACKAGES_UNAVAILABLE',
  'BUNDLE_FAILED',
  // values on the wire
  'VALUE_REFUSED',
  'RESULT_CORRUPT',
  'RESULT_MISSING',
  'PROTOCOL_NEWER',
  // getting there
  'HOST_UNREACHABLE',
  'HOST_KEY_UNKNOWN',
  'HOST_KEY_CHANGED',
  'HOST_KEY_REVOKED',
  'LOGIN_REFUSED',
  'LOGIN_INTERACTIVE',
  'CONNECTION_LOST',
  'PORT_TAKEN',
  'COMMAND_FAILED',
  'COMMAND_TIMEOUT',
  'FILE_TRANSFER_FAILED',
  // files
  'FILE_MISSING',
  'FILE_DENIED',
  'FILE_EXISTS',
  'FILE_WRONG_TYPE',
  'FILE_REFUSED',
  'FOLDER_NOT_EMPTY',
  'DISK_FULL',
  'OUTPUT_MISSING',
  'WORKDIR_UNSAFE',
  'WORKDIR_UNUSABLE',
  // the record of jobs
  'STORE_UNWRITABLE',
  'STORE_UNSAFE',
  'STORE_NEWER',
  // submitting and running
  'SCHEDULER_MISSING',
  'SUBMIT_REFUSED',
  'DISK_LOW',
  'JOB_FAILED',
  'JOB_CANCELED',
  'JOB_UNKNOWN',
  'JOB_NOT_RUNNING',
  'INTERPRETER_MISSING',
  'STREAM_CHANGED',
  'CALLED_IN_JOB',
  'NOT_IN_JOB',
  'THREAD_ENDED',
] as const

/** A FarcallError's `code`: stable, and the name of a page in docs/errors. */
export type ErrorCode = (typeof errorCodes)[number]
