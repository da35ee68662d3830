import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nativeName } from '../../files/names.ts'

/** Smaller files are read faster than what is known of them. */
const worthKnowing = 2 ** 20
/** A file that was written this shortly before may change again within the clock's tick. */
const settledMs = 2_000

export interface HashedFile {
  readonly sha256: string
  readonly size: number
}

/** sha256 of a file; of a large one that has not changed since, as it is known from the last time. */
export async function hashFile(path: string, cacheDir: string, now: number): Promise<HashedFile> {
  const { size, mtimeMs, ctimeMs, ino, dev } = await stat(nativeName(path))
  if (size < worthKnowing) return { sha256: await hashContent(path), size }
  const facts = JSON.stringify([size, mtimeMs, ctimeMs, ino, dev])
  const folder = join(cacheDir, 'hashes')
  const note = join(folder, createHash('sha256').update(path).digest('hex').slice(0, 32))
  const known = await readFile(note, 'utf8').catch(() => '')
  const [before, sum] = known.split('\n')
  if (before === facts && sum && /^[0-9a-f]{64}$/.test(sum)) return { sha256: sum, size }
  const sha256 = await hashContent(path)
  if (now - Math.max(mtimeMs, ctimeMs) > settledMs) await remember(folder, note, `${facts}\n${sha256}\n`)
  return { sha256, size }
}

async function remember(folder: string, note: string, text: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFile(`${note}.${process.pid}`, text, { mode: 0o600 })
    await rename(`${note}.${process.pid}`, note)
  } catch {
    // a cache that cannot be written costs time, not the call
  }
}

async function hashContent(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(nativeName(path), { highWaterMark: 1 << 20 })) hash.update(chunk)
  return hash.digest('hex')
}
