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
import { decodeFrom } from '../codec/codec.ts'
import type { DecodeOptions } from '../codec/types.ts'
import { ResultError } from '../core/errors.ts'
import type { RecordKind } from '../core/pack.ts'
import { type Deferred, deferred } from './deferred.ts'

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

/** Members that left this many bytes or more are read by way of a file, frame by frame; tests lower it. @internal */
export const limits = { largeResult: 256 * 2 ** 20 }

/** @internal */
export function resultFile(path: string | undefined, settled: Promise<unknown>): ResultFile {
  const done = deferred<string>()
  // When it was written, `done` is resolved before; a job that failed says so, to both.
  settled.then(
    () =>
      done.reject(
        new ResultError('RESULT_MISSING', 'the result is in memory already, and its files may be gone', {
          hint: "ask for the file right after the call of one function: const path = await f(x).result({ as: 'file' })",
        }),
      ),
    done.reject,
  )
  return { path, done }
}

export function localPathOf(file: ResultFile, jobId: string): string {
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

/**
 * The value of a file that `job.result({ as: 'file' })` wrote. Binary data is read straight into the arrays of the
 * value. Instances of your own classes are refused: `await job` itself gives those.
 * @throws ResultError RESULT_CORRUPT, PROTOCOL_NEWER
 * @example
 * import { cluster, openResult } from 'farcall'
 *
 * const simulate = cluster((n: number) => new Float64Array(n))
 * const path = await simulate(1_000_000).result({ as: 'file' })
 * const field = openResult<Float64Array>(path)
 * console.log(field.length)
 */
export function openResult<R = unknown>(path: string): R {
  return readResult(path, {}) as R
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
