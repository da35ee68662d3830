import { open, readFile, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FileError, TransportError } from '../../core/errors.ts'
import { fileFailure, fileFailureOf } from '../../files/failures.ts'
import { isOdd, nameFromBytes, nameToBytes, nativeName } from '../../files/names.ts'
import { folderOf, joinPath, nameOf } from '../../files/paths.ts'
import type { Transport } from '../../transport/transport.ts'
import type { Carrying, End } from './end.ts'
import { farShell, ofTransport, transportPath } from './far-files.ts'
import {
  finishLocally,
  hashOf,
  linkLocally,
  linkTarget,
  localPath,
  makeFolderLocally,
  refuseSync,
  writeSmall,
} from './near-end.ts'
import { bothHaveRsync, carryByRsync, type RsyncJob } from './rsync.ts'
import { createTarReader, type TarEntry, tarEnd, tarEntry } from './tar.ts'
import * as scripts from './transfer-scripts.ts'
import { nameThere, partialName, type TreeEntry } from './tree.ts'
import { encodeWord } from './words.ts'

/** Files up to this size travel together, in archives. */
const smallFile = 2 ** 20
/** What one archive holds at most: so much is held in memory, and sent again after a cut. */
const batch = { bytes: 8 * 2 ** 20, files: 2_000, folders: 300 }
/** More than a transport has on its way together: after a cut, bytes before that are in order. */
const inFlight = 16 * 2 ** 20
/** Between two looks at how much of a large file has arrived. */
const lookMs = 400
/** Pieces of large files. */
const pieceUp = 32 * 2 ** 20
const pieceDown = 16 * 2 ** 20
/** Pieces on their way at the same time. */
const ahead = 3

/** Transfers to and from the machine that a transport leads to. */
export function farEnd(transport: Transport): End {
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

  /** As fast as the transport can, in a folder where nothing else lies: after a cut that is gone on with. */
  const receiveWhole = async (
    source: string,
    target: string,
    temporary: string,
    signal: AbortSignal | undefined,
    arrived: Arrived,
  ) => {
    const file = { path: transportPath(`${temporary}.pieces/whole`), content: { localPath: source } }
    const sent = ofTransport('write', target, () => transport.put([file]))
    let over = false
    const done = sent.finally(() => {
      over = true
    })
    done.catch(() => {}) // told where it is awaited, below
    const aborted = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    while (!over) {
      // How it ended is asked for once the loop is left.
      await Promise.race([done.catch(() => {}), sleep(lookMs), aborted])
      if (over) break
      const { stdout } = await run(scripts.arrivedScript, [encodeWord(temporary)])
      const said = Buffer.from(stdout).toString('latin1').trim()
      // The answer to the transport may have been lost.
      if (said === 'whole') return
      arrived(Number(said))
    }
    await done
  }

  /** In pieces that are added one after the other. */
  const receiveRest = async (
    source: string,
    target: string,
    temporary: string,
    begun: number,
    size: number,
    signal: AbortSignal | undefined,
    arrived: Arrived,
  ) => {
    const file = await opened(source)
    try {
      for (let done = begun; done < size; ) {
        signal?.throwIfAborted()
        const bytes = Buffer.allocUnsafe(Math.min(pieceUp, size - done))
        const { bytesRead } = await file.read(bytes, 0, bytes.length, done)
        if (bytesRead < bytes.length) throw changed(source)
        await succeed('write', target, scripts.addScript, [temporary, String(done)], { stdin: bytes })
        done += bytes.length
        arrived(done)
      }
    } finally {
      await file.close()
    }
  }

  /** After a cut it goes on where it was. */
  const receiveLarge = async (
    local: string,
    folder: string,
    entry: TreeEntry,
    { onFile, signal }: Carrying,
    arrived: Arrived,
  ) => {
    const target = joinPath(folder, nameThere(entry))
    const temporary = joinPath(folderOf(target), partialName(target, entry))
    const words = [encodeWord(temporary), encodeWord(target)]
    const begin = [words[0]!, encodeWord(nameOf(target)), String(inFlight)]
    const { stdout } = await succeed('write', target, scripts.partialScript, begin)
    const begun = Math.min(Number(Buffer.from(stdout).toString('latin1')), entry.size)
    const source = joinPath(local, entry.relative)
    arrived(begun)
    if (begun === 0 && !isOdd(temporary) && !isOdd(source))
      await receiveWhole(source, target, temporary, signal, arrived)
    else await receiveRest(source, target, words[0]!, begun, entry.size, signal, arrived)
    const { size, mtimeMs } = await stat(nativeName(source))
    if (size !== entry.size || Math.floor(mtimeMs / 1000) !== entry.mtime) {
      await run(scripts.dropScript, [words[0]!])
      throw changed(source)
    }
    arrived(entry.size)
    const args = [...words, entry.mode.toString(8), String(entry.size), String(entry.mtime)]
    const sum = begun > 0 ? [await hashOf(source)] : []
    await succeed('write', target, scripts.finishScript, [...args, ...sum])
    onFile()
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

  /** In pieces, written in order, with some on their way: what is there after a cut is whole up to its end. */
  const sendLarge = async (
    folder: string,
    local: string,
    entry: TreeEntry,
    { onFile, signal }: Carrying,
    arrived: Arrived,
  ) => {
    const source = joinPath(folder, entry.relative)
    const path = joinPath(local, nameThere(entry))
    const temporary = joinPath(dirname(path), partialName(path, entry))
    await makeFolderLocally(dirname(path), 0o777)
    const file = await open(nativeName(temporary), 'a', 0o600)
    let resumed = false
    try {
      const { size } = await file.stat()
      let done = size <= entry.size ? size : 0
      if (done !== size) await file.truncate(done)
      resumed = done > 0
      arrived(done)
      let next = done
      const coming: Promise<Uint8Array>[] = []
      while (done < entry.size) {
        signal?.throwIfAborted()
        while (coming.length < ahead && next < entry.size) {
          const piece = readPiece(source, next, Math.min(pieceDown, entry.size - next))
          piece.catch(() => {}) // told when its turn comes
          coming.push(piece)
          next += pieceDown
        }
        const bytes = await coming.shift()!
        if (bytes.length < Math.min(pieceDown, entry.size - done)) throw changed(source)
        await file.writeFile(bytes)
        done += bytes.length
        arrived(done)
      }
    } catch (error) {
      throw fileFailure('write', path, error)
    } finally {
      await file.close()
    }
    if (resumed) {
      const [there] = await hashes(folder, [entry.relative])
      if (there !== (await hashOf(temporary))) {
        await rm(nativeName(temporary), { force: true })
        throw changed(source)
      }
    }
    await finishLocally(temporary, path, entry)
    onFile()
  }

  const readPiece = async (path: string, from: number, length: number): Promise<Uint8Array> => {
    if (isOdd(path)) {
      const args = [encodeWord(path), String(from + 1), String(length)]
      return (await succeed('read', path, scripts.readScript, args)).stdout
    }
    const bytes = await ofTransport('read', path, () => transport.get(transportPath(path), { from, length }))
    if (!bytes) throw fileFailureOf('read', path, 'No such file or directory')
    return bytes
  }

  const hashes: End['hashes'] = async (folder, relatives) => {
    if (relatives.length === 0) return []
    const { stdout } = await succeed('read', folder, scripts.hashScript, [encodeWord(folder)], {
      stdin: listOf(relatives),
    })
    const sums = [
      ...Buffer.from(stdout)
        .toString('latin1')
        .matchAll(/^\\?([0-9a-f]{64}) [ *]/gm),
    ].map(([, sum]) => sum!)
    if (sums.length !== relatives.length)
      throw fileFailureOf('read', folder, `${sums.length} checksums came for ${relatives.length} files`)
    return sums
  }

  let rsync: Promise<boolean> | undefined
  const byRsync = (job: Omit<RsyncJob, 'arrived'>, carrying: Carrying) => {
    const arrived = countUp(carrying)
    return insist(() => carryByRsync(transport, { ...job, arrived }, carrying))
  }

  return {
    async deltas() {
      rsync ??= bothHaveRsync(transport)
      rsync.catch(() => {
        // asked again
        rsync = undefined
      })
      if (!(await rsync)) return undefined
      return {
        receive: (local, remote, entries, carrying) =>
          byRsync({ direction: 'up', local, remote, entries }, carrying),
        send: (remote, local, entries, carrying) =>
          byRsync({ direction: 'down', local, remote, entries }, carrying),
      }
    },
    async receive(localFolder, folder, entries, carrying) {
      const local = localPath(localFolder)
      const folders = entries.filter(({ type }) => type === 'folder')
      if (folders.length > 0) {
        const stdin = listOf(folders.map(({ relative }) => relative))
        await succeed('mkdir', folder, scripts.foldersScript, [encodeWord(folder)], { stdin })
      }
      for (const some of batches(entries)) await insist(() => receiveTogether(local, folder, some, carrying))
      for (const entry of entries.filter(isLarge)) {
        const arrived = countUp(carrying)
        await insist(() => receiveLarge(local, folder, entry, carrying, arrived))
      }
    },
    async send(folder, localFolder, entries, carrying) {
      const local = localPath(localFolder)
      for (const entry of entries)
        if (entry.type === 'folder') await makeFolderLocally(joinPath(local, entry.relative), entry.mode)
      for (const some of batches(entries)) await insist(() => sendTogether(folder, local, some, carrying))
      for (const entry of entries.filter(isLarge)) {
        const arrived = countUp(carrying)
        await insist(() => sendLarge(folder, local, entry, carrying, arrived))
      }
    },
    hashes,
    async targets(folder, relatives) {
      if (relatives.length === 0) return []
      const { stdout } = await succeed('read', folder, scripts.targetsScript, [encodeWord(folder)], {
        stdin: listOf(relatives),
      })
      return splitAtNul(Buffer.from(stdout))
    },
    async removeBelow(folder, relatives) {
      if (relatives.length === 0) return
      const stdin = listOf(relatives)
      const result = await run(scripts.removeBelowScript, [encodeWord(folder)], { stdin })
      if (result.exitCode === 90) throw refuseSync(folder)
      if (result.exitCode !== 0) throw fileFailureOf('remove', folder, result.stderr)
    },
  }
}

/** Told how many bytes of a file are there. */
type Arrived = (bytes: number) => void

function countUp({ onBytes }: Carrying): Arrived {
  let told = 0
  return (bytes) => {
    if (bytes <= told) return
    onBytes(bytes - told)
    told = bytes
  }
}

/** Waits before what a lost connection has cut is gone on with, milliseconds. */
const waits = [500, 1_000, 2_000, 4_000, 8_000]

async function insist(work: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await work()
    } catch (error) {
      const lost = error instanceof TransportError && error.transient && error.code !== 'COMMAND_TIMEOUT'
      const waitMs = waits[tries]
      if (!lost || waitMs === undefined) throw error
      await sleep(waitMs * (0.5 + 0.5 * Math.random()))
    }
  }
}

export const isLarge = ({ type, size }: TreeEntry) => type === 'file' && size > smallFile

/** Small files and links, as many as travel together. */
function* batches(entries: readonly TreeEntry[]): Generator<TreeEntry[]> {
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

/** Paths below a folder, each ended by NUL; a dash in front is no option. */
function listOf(relatives: readonly string[]): Buffer {
  return Buffer.concat(relatives.flatMap((one) => [Buffer.from('./'), nameToBytes(one), Buffer.alloc(1)]))
}

function splitAtNul(bytes: Buffer): string[] {
  const all: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at)
    all.push(nameFromBytes(bytes.subarray(at, end < 0 ? bytes.length : end)))
    at = end < 0 ? bytes.length : end + 1
  }
  return all
}

async function opened(path: string) {
  try {
    return await open(nativeName(path), 'r')
  } catch (error) {
    throw fileFailure('read', path, error)
  }
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

function changed(path: string): FileError {
  return new FileError('FILE_TRANSFER_FAILED', `${path} changed while it was transferred`, path, {
    hint: 'wait until nobody writes to it, and transfer it again',
  })
}

const signalOf = ({ signal }: Carrying) => (signal ? { signal } : {})
