/** The result of a job that has ended, as a file. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { encodeChunks } from '../../codec/codec.ts'
import { ConfigError, FarcallError, ResultError } from '../../core/errors.ts'
import { localPathOf } from '../outcome/result-file.ts'
import type { Handle } from '../submission/handle.ts'
import type { Item } from '../submission/item.ts'

/**
 * From the job's own files while they are there, else from the value in memory.
 * @throws ResultError RESULT_MISSING when neither can be written
 */
export async function writeLate(
  { submission }: Handle,
  item: Item,
  path: string | undefined,
  value: unknown,
): Promise<string> {
  const [own, ...others] = submission.views.itemsBehind(item)
  if (!own || others.length > 0)
    throw new ConfigError('OPTION_INVALID', `job ${submission.id} has ${others.length + 1} results`, {
      hint: `attach('${submission.id}[0]') is the first of them, and has a result of its own`,
    })
  const jobId = submission.itemId(own)
  const localPath = localPathOf({ path }, jobId)
  const { submitted, decoder } = submission
  let trouble: unknown
  try {
    // A call that the cache knew has no files of its own.
    const member = submitted ? Math.floor(own.index / submitted.spec.chunk) : 0
    const kind = await submitted?.executor.save?.(submission.id, member, own.index, localPath)
    if (kind === 'value') return localPath
  } catch (error) {
    // Its files are gone, or there is no connection any more.
    if (!(error instanceof FarcallError)) throw missing(jobId, error)
    trouble = error
  }
  try {
    await writeValue(localPath, value, decoder!.classes)
    return localPath
  } catch (error) {
    throw missing(jobId, error, trouble)
  }
}

async function writeValue(
  path: string,
  value: unknown,
  classes: ReadonlyMap<string, Function>,
): Promise<void> {
  const chunks = encodeChunks(value, {
    root: 'result',
    reference(object) {
      const type: unknown =
        typeof object === 'function' ? undefined : Object.getPrototypeOf(object)?.constructor
      const [id] = [...classes].find(([, known]) => known === type) ?? []
      if (id === undefined) return undefined
      return { kind: 'instance', id, name: (type as Function).name, fields: { ...object } }
    },
  })
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.partial`
  try {
    await writeFile(temporary, chunks, { mode: 0o600 })
    await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
}

function missing(jobId: string, error: unknown, before: unknown = undefined): ResultError {
  const words = error instanceof Error ? error.message.split('\n', 1)[0] : String(error)
  const first = before instanceof Error ? ` (its files: ${before.message.split('\n', 1)[0]})` : ''
  return new ResultError('RESULT_MISSING', `job ${jobId}: its result cannot be written: ${words}${first}`, {
    cause: error,
    hint: "ask for the file before the job has ended, or keep its files: `keep: 'all'` in the profile",
  })
}
