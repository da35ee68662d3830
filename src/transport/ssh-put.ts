import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { ConfigError, TransportError } from '../core/errors.ts'
import { fileFailed } from './failures.ts'
import { discardScript, finishScript, makeFoldersScript, putEnd, putScript, stage } from './ssh-files.ts'
import { fileTimeoutMs, type Session, succeed } from './ssh-session.ts'
import type { FileToPut } from './transport.ts'

/** Files up to this size together travel with one command. */
const smallPut = 256 * 1024

const nothing = new Uint8Array()

export interface SizedFile extends FileToPut {
  readonly size: number
}

/** @throws ConfigError when a local file cannot be read */
export async function sizeOf(file: FileToPut): Promise<SizedFile> {
  if (file.content instanceof Uint8Array) return { ...file, size: file.content.length }
  try {
    return { ...file, size: (await stat(file.content.localPath)).size }
  } catch (error) {
    throw new ConfigError('CONFIG_INVALID', `${file.content.localPath} cannot be read`, {
      hint: 'it was to be sent; check that it exists',
      cause: error,
    })
  }
}

/** The small ones together, each large one by itself. */
export async function putFiles(session: Session, files: readonly SizedFile[]): Promise<void> {
  const small: SizedFile[] = []
  let sum = 0
  for (const file of [...files].sort((a, b) => a.size - b.size)) {
    sum += file.size
    if (sum <= smallPut) small.push(file)
    else await putLarge(session, file)
  }
  if (small.length > 0) await putSmall(session, small)
}

async function putSmall(session: Session, files: readonly SizedFile[]): Promise<void> {
  const staged = files.map((file) => stage(file.path, file.size, file.mode))
  const contents = await Promise.all(
    files.map(async ({ content, path, size }) => {
      if (content instanceof Uint8Array) return content
      const bytes = await readFile(content.localPath)
      if (bytes.length !== size) throw fileFailed('write', path, `${content.localPath} changed meanwhile`)
      return bytes
    }),
  )
  const names = files.map((file) => file.path)
  const input = Buffer.concat([...contents, putEnd])
  succeed(await session.run(putScript(staged), input, ['put', ...names]), 'write', names.join(', '))
}

async function putLarge(session: Session, file: SizedFile): Promise<void> {
  const staged = stage(file.path, file.size, file.mode)
  const label = ['put', file.path]
  const bulk = await session.bulk()
  if (!bulk) {
    const options = { timeoutMs: fileTimeoutMs + file.size / 50 } // 50 kB/s at the very least
    const input = { size: file.size + putEnd.length, chunks: chunksOf(file.content) }
    succeed(await session.run(putScript([staged]), input, label, options), 'write', file.path)
    return
  }
  succeed(await session.run(makeFoldersScript([staged]), nothing, label), 'write', file.path)
  try {
    await bulk.write(staged.temporary, file.content, file.size)
  } catch (error) {
    const { lost } = session.link.connection
    if (lost) throw lost
    await session.run(discardScript(staged), nothing, label)
    if (error instanceof TransportError) throw error
    throw fileFailed('write', file.path, (error as Error).message, error)
  }
  succeed(await session.run(finishScript(staged), nothing, label), 'write', file.path)
}

async function* chunksOf(content: FileToPut['content']): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) yield content
  else yield* createReadStream(content.localPath, { highWaterMark: 256 * 1024 })
  yield putEnd
}
