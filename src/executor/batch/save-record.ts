/** One record of an out.pack, copied to a local file by pieces: neither end ever holds all of it. */
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type RecordKind, type RecordPlace, readRecord } from '../../core/pack.ts'
import type { Transport } from '../../transport/transport.ts'

const pieceSize = 64 * 2 ** 20

/** Headers are looked for in windows: of small records one holds many, over large ones it steps. */
const windowSize = { first: 16 * 1024, most: 4 * 2 ** 20 }

type Read = (from: number, length: number) => Promise<Uint8Array>

/** Reads ahead, further each time, so that the headers of ten thousand small records are some reads. */
function windowed(read: Read): Read {
  let window: Uint8Array = new Uint8Array()
  let start = 0
  let size = windowSize.first
  return async (from, length) => {
    if (from < start || from + length > start + window.byteLength) {
      window = await read(from, Math.max(length, size))
      start = from
      size = Math.min(2 * size, windowSize.most)
    }
    return window.subarray(from - start, from - start + length)
  }
}

/** Undefined: no record of this item is there, or none that is whole; the local file is then not made. */
export async function saveRecord(
  transport: Transport,
  path: string,
  index: number,
  localPath: string,
): Promise<RecordKind | undefined> {
  const read: Read = async (from, length) => (await transport.get(path, { from, length })) ?? new Uint8Array()
  const ahead = windowed(read)
  let place: RecordPlace | undefined
  for (let at = 0; ; at = place.start + place.length) {
    place = await readRecord(ahead, at)
    if (!place) return undefined
    if (place.index === index) break
  }
  const temporary = `${localPath}.partial`
  await mkdir(dirname(localPath), { recursive: true })
  const file = await open(temporary, 'w', 0o600)
  try {
    const sum = place.check()
    for (let done = 0; done < place.length; ) {
      const piece = await read(place.start + done, Math.min(pieceSize, place.length - done))
      if (piece.byteLength === 0) return undefined
      sum.add(piece)
      await file.writeFile(piece)
      done += piece.byteLength
    }
    if (!sum.matches()) return undefined
    await rename(temporary, localPath)
    return place.kind
  } finally {
    await file.close()
    // Renamed when all went well; half a result is nothing to keep.
    await rm(temporary, { force: true })
  }
}
