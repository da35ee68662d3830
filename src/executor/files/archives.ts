import { readFile } from 'node:fs/promises'
import { fileFailure, fileFailureOf } from '../../files/failures.ts'
import { nameFromBytes, nameToBytes, nativeName } from '../../files/names.ts'
import { folderOf, joinPath, nameOf } from '../../files/paths.ts'
import type { Transport } from '../../transport/transport.ts'
import { changed, listOf, signalOf } from './carrying.ts'
import type { Carrying } from './end.ts'
import { farShell } from './far-files.ts'
import { linkLocally, linkTarget, writeSmall } from './near-end.ts'
import { createTarReader, type TarEntry, tarEnd, tarEntry } from './tar.ts'
import * as scripts from './transfer-scripts.ts'
import { nameThere, type TreeEntry } from './tree.ts'
import { encodeWord } from './words.ts'

/** Files up to this size travel together, in archives. */
const smallFile = 2 ** 20
/** What one archive holds at most: so much is held in memory, and sent again after a cut. */
const batch = { bytes: 8 * 2 ** 20, files: 2_000, folders: 300 }

export const isLarge = ({ type, size }: TreeEntry) => type === 'file' && size > smallFile

/** Small files and links, as many as travel together. */
export function* batches(entries: readonly TreeEntry[]): Generator<TreeEntry[]> {
  let some: TreeEntry[] = []
  let bytes = 0
  let folders = new Set<string>()
  for (const entry of entries) {
    if (entry.type === 'folder' || isLarge(entry)) continue
    const within = folderOf(entry.relative)
    const size = entry.type === 'file' ? entry.size : 0
    const full =
      bytes + size > batch.bytes ||
      some.length >= batch.files ||
      (folders.size >= batch.folders && !folders.has(within))
    if (full) {
      yield some
      ;[some, bytes, folders] = [[], 0, new Set()]
    }
    some.push(entry)
    folders.add(within)
    bytes += size
  }
  if (some.length > 0) yield some
}

/** Carries small files and links: some of them as one archive, by one command. */
export function archives(transport: Transport) {
  const { run, succeed } = farShell(transport)

  /** Small files of some folders: one archive, one command. */
  const receiveTogether = async (
    local: string,
    folder: string,
    entries: readonly TreeEntry[],
    carrying: Carrying,
  ) => {
    const folders = new Map<string, string>()
    const parts: Uint8Array[] = []
    let bytes = 0
    const contents = await Promise.all(
      entries.map(async (entry) => {
        const path = joinPath(local, entry.relative)
        return entry.type === 'link' ? linkTarget(path) : readSmall(path, entry)
      }),
    )
    for (const [index, entry] of entries.entries()) {
      const there = nameThere(entry)
      const within = there.includes('/') ? folderOf(there) : ''
      const number = folders.get(within) ?? String(folders.size)
      folders.set(within, number)
      const content = contents[index]!
      const name = Buffer.concat([Buffer.from(`${number}/`), nameToBytes(nameOf(there))])
      const head: TarEntry = {
        name,
        type: entry.type === 'link' ? 'link' : 'file',
        mode: entry.mode,
        mtime: entry.mtime,
        ...(typeof content === 'string' ? { target: nameToBytes(content) } : {}),
      }
      parts.push(...tarEntry(head, typeof content === 'string' ? undefined : content))
      if (typeof content !== 'string') bytes += content.length
    }
    const stdin = Buffer.concat([...parts, tarEnd])
    const args = [encodeWord(folder), ...[...folders.keys()].map(encodeWord)]
    await succeed('write', folder, scripts.unpackScript, args, { stdin, ...signalOf(carrying) })
    carrying.onBytes(bytes)
    for (const _ of entries) carrying.onFile()
  }

  const sendTogether = async (
    folder: string,
    local: string,
    entries: readonly TreeEntry[],
    carrying: Carrying,
  ) => {
    let bytes = 0
    const wanted = new Map(entries.map((entry) => [entry.relative, entry]))
    const writing = new Set<Promise<void>>()
    let failure: unknown
    const stored = new Map<string, Buffer>()
    const hardLinks: [TreeEntry, string][] = []
    const start = (work: Promise<void>) => {
      const one = work
        .catch((error: unknown) => {
          failure ??= error
        })
        .finally(() => writing.delete(one))
      writing.add(one)
    }
    const reader = createTarReader(async (head, content) => {
      const relative = nameFromBytes(head.name).replace(/^\.\//, '')
      const entry = wanted.get(relative)
      // Nothing that was not asked for is written.
      if (!entry) return
      wanted.delete(relative)
      const path = joinPath(local, nameThere(entry))
      if (head.type === 'link') start(linkLocally(path, nameFromBytes(head.target!)))
      else if (head.type === 'hard-link')
        hardLinks.push([entry, nameFromBytes(head.target!).replace(/^\.\//, '')])
      else {
        if (content.length !== entry.size) throw changed(joinPath(folder, relative))
        stored.set(relative, content)
        start(writeSmall(path, entry, content))
        bytes += content.length
      }
      if (writing.size >= 16) await Promise.race(writing)
      if (failure !== undefined) throw failure
    })
    const stdin = listOf(entries.map(({ relative }) => relative))
    // Only what was named by the user itself can be a link here.
    const follow = entries.some(({ type }) => type === 'link') ? '' : '-h'
    const result = await run(scripts.packScript, [encodeWord(folder), follow], {
      stdin,
      onStdout: (chunk) => reader.feed(chunk),
      ...signalOf(carrying),
    })
    for (const [entry, other] of hardLinks) {
      const content = stored.get(other)
      if (!content) throw changed(joinPath(folder, entry.relative))
      start(writeSmall(joinPath(local, nameThere(entry)), entry, content))
      bytes += content.length
    }
    await Promise.all(writing)
    if (failure !== undefined) throw failure
    if (result.exitCode !== 0) throw fileFailureOf('read', folder, result.stderr)
    const [missing] = wanted.keys()
    if (missing !== undefined || !reader.finished) throw changed(joinPath(folder, missing ?? ''))
    carrying.onBytes(bytes)
    for (const _ of entries) carrying.onFile()
  }

  return { receive: receiveTogether, send: sendTogether }
}

async function readSmall(path: string, { size }: TreeEntry): Promise<Buffer> {
  try {
    const bytes = await readFile(nativeName(path))
    if (bytes.length !== size) throw changed(path)
    return bytes
  } catch (error) {
    throw fileFailure('read', path, error)
  }
}
