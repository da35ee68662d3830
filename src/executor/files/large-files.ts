import { open, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileFailure, fileFailureOf } from '../../files/failures.ts'
import { isOdd, nativeName } from '../../files/names.ts'
import { folderOf, joinPath, nameOf } from '../../files/paths.ts'
import type { Transport } from '../../transport/transport.ts'
import { type Arrived, changed } from './carrying.ts'
import type { Carrying, End } from './end.ts'
import { farShell, ofTransport, transportPath } from './far-files.ts'
import { finishLocally, hashOf, makeFolderLocally } from './near-end.ts'
import * as scripts from './transfer-scripts.ts'
import { nameThere, partialName, type TreeEntry } from './tree.ts'
import { encodeWord } from './words.ts'

/** More than a transport has on its way together: after a cut, bytes before that are in order. */
const inFlight = 16 * 2 ** 20
/** Between two looks at how much of a large file has arrived. */
const lookMs = 400
/** Pieces of large files. */
const pieceUp = 32 * 2 ** 20
const pieceDown = 16 * 2 ** 20
/** Pieces on their way at the same time. */
const ahead = 3

/** Carries large files one by one; after a cut they go on where they were. */
export function largeFiles(transport: Transport, hashes: End['hashes']) {
  const { run, succeed } = farShell(transport)

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

  return { receive: receiveLarge, send: sendLarge }
}

async function opened(path: string) {
  try {
    return await open(nativeName(path), 'r')
  } catch (error) {
    throw fileFailure('read', path, error)
  }
}
