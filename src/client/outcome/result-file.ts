/** Results as files: for values that are better not held in memory, or cannot be held in one Buffer. */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { decodeFrom } from '../../codec/codec.ts'
import type { DecodeOptions } from '../../codec/types.ts'
import { type Deferred, deferred } from '../../core/deferred.ts'
import { ResultError } from '../../core/errors.ts'
import type { RecordKind } from '../../core/pack.ts'

/** Where a result is to be written, and who waits for that. */
export interface ResultFile {
  /** Undefined: named after the job. */
  readonly path: string | undefined
  readonly done: Deferred<string>
}

/** Options of `job.result`. */
export interface ResultOptions {
  as: 'file'
  /** Where to write it; default: `<job id>.result` in the working directory. */
  path?: string
}

/** Options of `jobs.result`, of a map. */
export interface ResultsOptions {
  as: 'file'
  /** Where to write them, as `<job id>.<index>.result`; default: the working directory. */
  folder?: string
}

/**
 * Members that left this many bytes or more are read by way of a file, frame by frame; tests lower it. `partialResult`
 * where not all of their items are wanted. @internal
 */
export const limits = { largeResult: 256 * 2 ** 20, partialResult: 256 * 1024 }

/** `late` writes the file of a job that was not told in time, and ended well. @internal */
export function resultFile(
  path: string | undefined,
  settled: Promise<unknown>,
  late: (value: unknown) => Promise<string>,
): ResultFile {
  const done = deferred<string>()
  // When it was written, `done` is resolved before; a job that failed says so, to both.
  settled.then(late).then(done.resolve, done.reject)
  return { path, done }
}

export function localPathOf(file: Pick<ResultFile, 'path'>, jobId: string): string {
  return resolve(file.path ?? `${jobId.replace(/\[(\d+)\]$/, '.$1')}.result`)
}

/** For whoever waits for the value of a job whose result went to a file. */
export function resultIsInFile(jobId: string, path: string): ResultError {
  return new ResultError('RESULT_MISSING', `job ${jobId}: its result was asked for as a file, ${path}`, {
    hint: `openResult(${JSON.stringify(path)}) gives its value`,
  })
}

/** Writes bytes that came with a notice. */
export function writeResult(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.partial`, bytes, { mode: 0o600 })
  renameSync(`${path}.partial`, path)
}

/** @internal */
export function readResult(path: string, options: DecodeOptions): unknown {
  const file = openSync(path, 'r')
  try {
    return decodeFrom((at, length) => readExactly(file, at, length), fstatSync(file).size, options)
  } finally {
    closeSync(file)
  }
}

function readExactly(file: number, position: number, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const count = readSync(file, bytes, filled, Math.min(length - filled, 2 ** 30), position + filled)
    if (count === 0) break
    filled += count
  }
  return bytes.subarray(0, filled)
}

/** Saves to a file that is gone when `read` has looked at it. */
export async function throughFile(
  save: (path: string) => Promise<RecordKind | undefined>,
  read: (path: string, kind: RecordKind) => void,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'farcall-result-'))
  try {
    const path = join(folder, 'result')
    const kind = await save(path)
    if (kind) read(path, kind)
  } finally {
    // Gone before whoever waits for the result hears of it.
    rmSync(folder, { recursive: true, force: true })
  }
}
