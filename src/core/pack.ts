/**
 * Packs: many byte strings in one file, each with its index, length and checksum.
 * out.pack is appended to while a member runs; a torn last record is dropped when read.
 * args.pack has a table of offsets in front, so that a member reads its own items and no others.
 *
 * A record: magic u32 | kind u8 | 3 reserved | index u32 | length u48 | 6 bytes of sha256 | bytes. Little endian.
 */
import crypto, { createHash } from 'node:crypto'

export type RecordKind = 'value' | 'error' | 'yield'
const kinds: readonly RecordKind[] = ['value', 'error', 'yield']

export interface PackRecord {
  readonly kind: RecordKind
  readonly index: number
  readonly bytes: Uint8Array
}

const recordMagic = 0x31524346 // 'FCR1'
const tableMagic = 0x31504346 // 'FCP1'
export const recordHeader = 24

/** Several times as fast for what is small; Node 20.12 is the first that has it. */
const oneShot: typeof crypto.hash | undefined = crypto.hash

/** The checksum of bytes that come in pieces. */
function checksum(...pieces: readonly Uint8Array[]): Buffer {
  const [only] = pieces
  if (oneShot && only && pieces.length === 1 && only.byteLength < 2 ** 30)
    return (oneShot('sha256', only, 'buffer') as unknown as Buffer).subarray(0, 6)
  const sum = startChecksum()
  for (const piece of pieces) sum.add(piece)
  return sum.digest()
}

function startChecksum() {
  const hash = createHash('sha256')
  return {
    add(bytes: Uint8Array): void {
      // One update takes less than 2 GB.
      for (let at = 0; at < bytes.byteLength; at += 2 ** 30) hash.update(bytes.subarray(at, at + 2 ** 30))
    },
    digest: () => hash.digest().subarray(0, 6),
  }
}

/** A record whose bytes are not in one piece. */
export interface PiecedRecord {
  readonly kind: RecordKind
  readonly index: number
  readonly bytes: readonly Uint8Array[]
}

/** The parts to be written one after the other; they show the record's own bytes. */
export function encodeRecord(record: PackRecord | PiecedRecord): Uint8Array[] {
  const pieces = (isPieced(record) ? record.bytes : [record.bytes]).map(toBuffer)
  const header = Buffer.alloc(recordHeader)
  writeHeader(header, record.kind, record.index, pieces)
  return [header, ...pieces]
}

function writeHeader(header: Buffer, kind: RecordKind, index: number, pieces: readonly Uint8Array[]): void {
  header.writeUInt32LE(recordMagic, 0)
  header[4] = kinds.indexOf(kind)
  header.writeUInt32LE(index, 8)
  header.writeUIntLE(
    pieces.reduce((sum, piece) => sum + piece.byteLength, 0),
    12,
    6,
  )
  checksum(...pieces).copy(header, 18)
}

function isPieced(record: PackRecord | PiecedRecord): record is PiecedRecord {
  return Array.isArray(record.bytes)
}

/** Where a record's bytes lie in a file of records. */
export interface RecordPlace {
  readonly kind: RecordKind
  readonly index: number
  readonly start: number
  readonly length: number
  /** Takes the bytes piece by piece; `matches` says in the end whether they were the right ones. */
  check(): { add(bytes: Uint8Array): void; matches(): boolean }
}

/**
 * The record whose header is at this position; undefined where there is none, or a part of one. The next one is at
 * start + length. `read` gives those bytes, or fewer at the end of the file.
 */
export async function readRecord(
  read: (position: number, length: number) => Promise<Uint8Array>,
  position: number,
): Promise<RecordPlace | undefined> {
  const header = toBuffer(await read(position, recordHeader))
  if (header.length < recordHeader || header.readUInt32LE(0) !== recordMagic) return undefined
  const kind = kinds[header[4]!]
  if (!kind) return undefined
  return {
    kind,
    index: header.readUInt32LE(8),
    start: position + recordHeader,
    length: header.readUIntLE(12, 6),
    check() {
      const sum = startChecksum()
      return { add: sum.add, matches: () => sum.digest().equals(header.subarray(18, recordHeader)) }
    },
  }
}

/**
 * Reads the records that are whole; `torn` says what was wrong with the rest, if anything.
 * The records' bytes are views of `bytes`.
 */
export function decodeRecords(bytes: Uint8Array): { records: PackRecord[]; torn?: string } {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const records: PackRecord[] = []
  let at = 0
  while (at < all.length) {
    if (all.length - at < recordHeader)
      return { records, torn: `${all.length - at} bytes of a header at ${at}` }
    if (all.readUInt32LE(at) !== recordMagic) return { records, torn: `no record at byte ${at}` }
    const kind = kinds[all[at + 4]!]
    const index = all.readUInt32LE(at + 8)
    const length = all.readUIntLE(at + 12, 6)
    const start = at + recordHeader
    if (!kind) return { records, torn: `unknown kind of record at byte ${at}` }
    if (length > all.length - start) return { records, torn: `record ${index} is cut off` }
    const content = all.subarray(start, start + length)
    if (!checksum(content).equals(all.subarray(at + 18, at + recordHeader)))
      return { records, torn: `record ${index} fails its checksum` }
    records.push({ kind, index, bytes: content })
    at = start + length
  }
  return { records }
}

/** A pack with a table that is a file of this machine. */
export interface PackFile {
  readonly localPath: string
  readonly size: number
}

export function isPackFile(args: readonly Uint8Array[] | PackFile): args is PackFile {
  return !Array.isArray(args)
}

/** A pack with a table of offsets: entry i of `entries` is found without reading the others. */
export function encodeTable(entries: readonly Uint8Array[]): Uint8Array {
  const { pieces, size } = tablePieces(entries)
  return Buffer.concat(pieces, size)
}

/** The same in pieces to be written one after the other; they show the entries' own bytes. */
export function tablePieces(entries: readonly Uint8Array[]): { pieces: Uint8Array[]; size: number } {
  const table = Buffer.alloc(8 + 8 * (entries.length + 1))
  table.writeUInt32LE(tableMagic, 0)
  table.writeUInt32LE(entries.length, 4)
  // Of a hundred thousand entries each header would be an object of its own.
  const headers = Buffer.alloc(recordHeader * entries.length)
  const pieces: Uint8Array[] = [table]
  let size = table.length
  for (const [index, bytes] of entries.entries()) {
    table.writeBigUInt64LE(BigInt(size), 8 + 8 * index)
    const header = headers.subarray(recordHeader * index, recordHeader * (index + 1))
    writeHeader(header, 'value', index, [bytes])
    pieces.push(header, bytes)
    size += header.length + bytes.byteLength
  }
  table.writeBigUInt64LE(BigInt(size), 8 + 8 * entries.length)
  return { pieces, size }
}

/** All entries of a table pack. @throws when it is none, or damaged */
export function decodeTable(bytes: Uint8Array): Uint8Array[] {
  const read = (at: number, length: number) => bytes.subarray(at, at + length)
  return readTable(read, 0, toBuffer(read(0, 8)).readUInt32LE(4))
}

/** Reads entries [from, to) of a table pack. `read(position, length)` gives exactly those bytes or throws. */
export function readTable(
  read: (position: number, length: number) => Uint8Array,
  from: number,
  to: number,
): Uint8Array[] {
  const head = toBuffer(read(0, 8))
  if (head.readUInt32LE(0) !== tableMagic) throw new Error('not a farcall pack')
  const count = head.readUInt32LE(4)
  if (from < 0 || to > count || from > to) throw new Error(`entries ${from} to ${to} of a pack of ${count}`)
  if (from === to) return []
  const offsets = toBuffer(read(8 + 8 * from, 8 * (to - from + 1)))
  const start = Number(offsets.readBigUInt64LE(0))
  const end = Number(offsets.readBigUInt64LE(8 * (to - from)))
  const { records, torn } = decodeRecords(read(start, end - start))
  if (torn || records.length !== to - from) throw new Error(`damaged pack: ${torn ?? 'entries are missing'}`)
  return records.map((record) => record.bytes)
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
