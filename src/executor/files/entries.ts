import { nameFromBytes } from '../../files/names.ts'
import { joinPath, nameOf } from '../../files/paths.ts'
import type { FileInfo } from '../../files/types.ts'

const types: ReadonlyMap<number, FileInfo['type']> = new Map([
  [0o100000, 'file'],
  [0o040000, 'folder'],
  [0o120000, 'link'],
])

/** 'MODE SIZE TIME UID GID', as stat -c '%f %s %Y %u %g' prints it. */
export function parseStatLine(text: string, path: string): FileInfo | undefined {
  const match = /^([0-9a-f]+) (\d+) (-?\d+) (\d+) (\d+)$/.exec(text)
  if (!match) return undefined
  const mode = Number.parseInt(match[1]!, 16)
  return {
    path,
    name: nameOf(path),
    type: types.get(mode & 0o170000) ?? 'other',
    size: Number(match[2]),
    modified: new Date(Number(match[3]) * 1000),
    mode: mode & 0o7777,
    uid: Number(match[4]),
    gid: Number(match[5]),
  }
}

export const statFormat = '%f %s %Y %u %g'

/** Takes what findScript prints, in whatever pieces, and gives the entries that are whole. */
export function createEntryReader(mark: string, folder: string) {
  const begin = Buffer.from(`${mark} `)
  const between = Buffer.from(`\n${mark} `)
  let rest = Buffer.alloc(0)
  const read = (record: Buffer): FileInfo[] => {
    // five numbers, then the name
    let at = begin.length
    for (let spaces = 0; spaces < 5; at++) if (record[at] === 32) spaces++
    const relative = nameFromBytes(record.subarray(at)).replace(/^\.\//, '')
    const info = parseStatLine(record.toString('latin1', begin.length, at - 1), joinPath(folder, relative))
    return info ? [info] : []
  }
  return {
    *feed(chunk: Uint8Array): Generator<FileInfo, void, void> {
      let text = rest.length > 0 ? Buffer.concat([rest, chunk]) : Buffer.from(chunk)
      for (;;) {
        const end = text.indexOf(between)
        if (end < 0) break
        yield* read(text.subarray(0, end))
        text = text.subarray(end + 1)
      }
      rest = Buffer.from(text)
    },
    *end(): Generator<FileInfo, void, void> {
      if (rest.length > 0) yield* read(rest.subarray(0, rest.length - 1))
    },
  }
}
