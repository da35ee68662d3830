import { TransportError } from '../core/errors.ts'
import { fileFailed } from './failures.ts'
import { getScript, readScript, safePath, saysMissing } from './ssh-files.ts'
import { fileTimeoutMs, type Session, succeed } from './ssh-session.ts'

/** A file up to this size comes with the command that asks for it. */
const smallGet = 1024 * 1024

const nothing = new Uint8Array()

/** Undefined: not there. */
export async function getFile(
  session: Session,
  path: string,
  range?: { from: number; length?: number },
): Promise<Uint8Array | undefined> {
  const from = range?.from ?? 0
  const label = ['get', path]
  const result = await session.run(getScript(path, from, range?.length, smallGet), nothing, label)
  if (result.exitCode !== 0 && saysMissing(result.stderr.toString('utf8'))) return undefined
  const { stdout } = succeed(result, 'read', path)
  const line = stdout.indexOf(10)
  const size = Number(stdout.toString('latin1', 0, line))
  const want = Math.max(0, Math.min(range?.length ?? Number.POSITIVE_INFINITY, size - from))
  if (want <= smallGet) return stdout.subarray(line + 1)
  const bulk = await session.bulk()
  if (bulk) {
    try {
      return await bulk.read(safePath(path), from, want)
    } catch (error) {
      if (error instanceof TransportError) throw error
      throw fileFailed('read', path, (error as Error).message, error)
    }
  }
  const options = { timeoutMs: fileTimeoutMs + want / 50 }
  return succeed(await session.run(readScript(path, from, want), nothing, label, options), 'read', path)
    .stdout
}
