/** Archives as tar reads and writes them everywhere: ustar, GNU's long names, and pax headers when reading. Names are bytes. */

export interface TarEntry {
  readonly name: Buffer
  readonly type: 'file' | 'folder' | 'link' | 'hard-link'
  readonly mode: number
  /** Seconds since the epoch. */
  readonly mtime: number
  /** What a link leads to. */
  readonly target?: Buffer
}

const block = 512
const typeOf = { file: '0', folder: '5', link: '2', 'hard-link': '1' } as const
const padding = (size: number) => Buffer.alloc((block - (size % block)) % block)

/** One entry with its content. */
export function* tarEntry(entry: TarEntry, content: Uint8Array = Buffer.alloc(0)): Generator<Uint8Array> {
  const name = entry.type === 'folder' ? Buffer.concat([entry.name, Buffer.from('/')]) : entry.name
  if (name.length > 100) yield* longName('L', name)
  if (entry.target && entry.target.length > 100) yield* longName('K', entry.target)
  yield header(name, typeOf[entry.type], content.length, entry.mode, entry.mtime, entry.target)
  yield content
  yield padding(content.length)
}

export const tarEnd = Buffer.alloc(2 * block)

function* longName(type: 'L' | 'K', name: Buffer): Generator<Uint8Array> {
  const text = Buffer.concat([name, Buffer.alloc(1)])
  yield header(Buffer.from('././@LongLink'), type, text.length, 0o644, 0)
  yield text
  yield padding(text.length)
}

function header(
  name: Buffer,
  type: string,
  size: number,
  mode: number,
  mtime: number,
  target: Buffer = Buffer.alloc(0),
): Buffer {
  const bytes = Buffer.alloc(block)
  name.copy(bytes, 0, 0, 100)
  const octal = (value: number, at: number, length: number) =>
    bytes.write(
      `${Math.max(0, value)
        .toString(8)
        .padStart(length - 1, '0')}\0`,
      at,
      'latin1',
    )
  octal(mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(Math.floor(mtime), 136, 12)
  bytes.write('        ', 148, 'latin1')
  bytes.write(type, 156, 'latin1')
  target.copy(bytes, 157, 0, 100)
  bytes.write('ustar  \0', 257, 'latin1')
  const sum = bytes.reduce((total, byte) => total + byte, 0)
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return bytes
}

/** What is made of the entries of an archive, each with its whole content. */
export type TarSink = (entry: TarEntry, content: Buffer) => Promise<void> | void

/** Reads archives, one after the other, in whatever pieces they come. Made for small files: each is held as a whole. */
export function createTarReader(sink: TarSink) {
  let rest = Buffer.alloc(0)
  let current: { entry: TarEntry & { raw: string }; size: number } | undefined
  let longer: { path?: Buffer; linkpath?: Buffer; size?: number } = {}

  const take = async (raw: string, entry: TarEntry, content: Buffer) => {
    if (raw === 'L') longer.path = untilNul(content)
    else if (raw === 'K') longer.linkpath = untilNul(content)
    else if (raw === 'x') longer = { ...longer, ...paxHeader(content) }
    else if (raw !== 'g') {
      longer = {}
      await sink(entry, content)
    }
  }
  return {
    async feed(chunk: Uint8Array): Promise<void> {
      let bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : Buffer.from(chunk)
      for (;;) {
        if (!current) {
          if (bytes.length < block) break
          const head = bytes.subarray(0, block)
          bytes = bytes.subarray(block)
          // the end of an archive; another may follow
          if (head.every((byte) => byte === 0)) continue
          current = parseHeader(head, longer)
        }
        const { entry, size } = current
        const whole = size + padding(size).length
        if (bytes.length < whole) break
        await take(entry.raw, entry, Buffer.from(bytes.subarray(0, size)))
        bytes = bytes.subarray(whole)
        current = undefined
      }
      rest = Buffer.from(bytes)
    },
    /** Whether the last archive is whole. */
    get finished(): boolean {
      return !current && rest.length === 0
    },
  }
}

const typesRead: Readonly<Record<string, TarEntry['type']>> = { '1': 'hard-link', '2': 'link', '5': 'folder' }

function parseHeader(head: Buffer, longer: { path?: Buffer; linkpath?: Buffer; size?: number }) {
  const sum = head.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0)
  if (sum !== readNumber(head, 148, 8))
    throw new Error('the archive is damaged: the sum of a header is wrong')
  const raw = String.fromCharCode(head[156]!)
  const own = untilNul(head.subarray(0, 100))
  const posix = head.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = posix ? untilNul(head.subarray(345, 500)) : Buffer.alloc(0)
  const name = longer.path ?? (prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), own]) : own)
  const entry = {
    raw,
    name: name.at(-1) === 47 ? name.subarray(0, -1) : name,
    type: typesRead[raw] ?? ('file' as const),
    mode: readNumber(head, 100, 8) & 0o7777,
    mtime: readNumber(head, 136, 12),
    target: longer.linkpath ?? untilNul(head.subarray(157, 257)),
  }
  const special = 'LKxg'.includes(raw)
  const size = special ? readNumber(head, 124, 12) : (longer.size ?? readNumber(head, 124, 12))
  return { entry, size: entry.type === 'file' ? size : 0 }
}

/** Octal, or GNU's base 256 for what is larger. */
function readNumber(head: Buffer, at: number, length: number): number {
  if (head[at]! & 0x80)
    return head.subarray(at + 1, at + length).reduce((total, byte) => total * 256 + byte, 0)
  return Number.parseInt(
    head
      .toString('latin1', at, at + length)
      .replace(/[\0 ]+/g, ' ')
      .trim() || '0',
    8,
  )
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end))
}

/** 'LENGTH KEY=VALUE\n' again and again. */
function paxHeader(content: Buffer): { path?: Buffer; linkpath?: Buffer; size?: number } {
  const found: { path?: Buffer; linkpath?: Buffer; size?: number } = {}
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(32, at)
    const length = Number(content.toString('latin1', at, space))
    if (!(length > 0)) break
    const record = content.subarray(space + 1, at + length - 1)
    const equals = record.indexOf(61)
    const [key, value] = [record.toString('latin1', 0, equals), record.subarray(equals + 1)]
    if (key === 'path' || key === 'linkpath') found[key] = Buffer.from(value)
    if (key === 'size') found.size = Number(value.toString('latin1'))
    at += length
  }
  return found
}
