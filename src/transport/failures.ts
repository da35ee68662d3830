import { TransportError } from '../core/errors.ts'

export const defaultTimeoutMs = 60_000

export function commandTimeout(argv: readonly string[], timeoutMs: number): TransportError {
  return new TransportError(
    'COMMAND_TIMEOUT',
    `${brief(argv)} did not end within ${timeoutMs / 1000} s and was stopped`,
    {
      hint: 'the machine may be overloaded or its file system may hang; try again, or give it more time',
      transient: true,
    },
  )
}

export function connectionClosed(name: string): TransportError {
  return new TransportError('CONNECTION_LOST', `${name}: the transport was closed`, {
    hint: 'open a new one; this one was disposed of while work was pending',
  })
}

export function fileFailed(verb: string, path: string, why: string, cause?: unknown): TransportError {
  return new TransportError('FILE_TRANSFER_FAILED', `${verb} ${path}: ${why}`, { cause, hint: hintFor(why) })
}

function hintFor(why: string): string {
  if (/ENOSPC|No space left/i.test(why)) return 'the disk is full: free some space, or choose another workdir'
  if (/EDQUOT|quota/i.test(why)) return 'your quota is used up: free some space, or choose another workdir'
  if (/EACCES|EPERM|denied|not permitted/i.test(why))
    return 'check the owner and the permissions of the folder'
  if (/EROFS|Read-only/i.test(why)) return 'the file system is read-only; choose another workdir'
  return 'check that the path exists and that you may use it'
}

/** A command for a message: its first words, in one line. */
export function brief(argv: readonly string[]): string {
  const text = argv.join(' ').replace(/\s+/g, ' ')
  return `'${text.length > 80 ? `${text.slice(0, 77)}...` : text}'`
}
