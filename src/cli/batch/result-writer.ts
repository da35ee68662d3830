import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { ConfigError } from '../../core/errors.ts'

export interface ResultWriter {
  write(line: string): void
  close(): void
}

/** What is there of an earlier run; nothing where there is no such file. @throws ConfigError OPTION_INVALID */
export function earlierResults(path: string): string {
  return unlessUnusable(path, () => {
    const found = statSync(path, { throwIfNoEntry: false })
    // Of a pipe or device there would be no end.
    if (found && !found.isFile()) throw new Error('it is no file to go on with')
    return found ? readFileSync(path, 'utf8') : ''
  })
}

/** Goes on behind `kept`, which replaces what is there at once or not at all. @throws ConfigError OPTION_INVALID */
export function goOnWriting(path: string, before: string, kept: string): ResultWriter {
  const file = unlessUnusable(path, () => {
    if (kept !== before) {
      // A link to it stays one.
      const real = realpathSync(path)
      const next = `${real}.${process.pid}.tmp`
      writeFileSync(next, kept, { mode: statSync(real).mode, flush: true })
      renameSync(next, real)
    }
    return openSync(path, 'a')
  })
  return { write: (line) => appendFileSync(file, line), close: () => closeSync(file) }
}

export const toStdout: ResultWriter = { write: (line) => process.stdout.write(line), close: () => {} }

function unlessUnusable<T>(path: string, use: () => T): T {
  try {
    return use()
  } catch (cause) {
    throw new ConfigError('OPTION_INVALID', `--output ${path}: ${(cause as Error).message}`, {
      hint: 'name a file that can be written, in a folder that exists',
      cause,
    })
  }
}
