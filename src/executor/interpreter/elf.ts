/** What a program for Linux needs to start, read from the file itself: https://refspecs.linuxfoundation.org/elf/gabi4+ */

export interface Elf {
  /** As `uname -m` says it; 'other' for what farcall has no Node for. */
  readonly arch: 'x86_64' | 'aarch64' | 'other'
  /** The loader that starts it; '' for a static program. */
  readonly loader: string
  /** Shared libraries by name. */
  readonly libraries: readonly string[]
  /** The newest version of symbols that it takes from glibc, '2.28', and from libstdc++, '3.4.21'; '' for none. */
  readonly glibc: string
  readonly glibcxx: string
}

const archOf: Readonly<Record<number, Elf['arch']>> = { 62: 'x86_64', 183: 'aarch64' }
const segment = { load: 1, dynamic: 2, interpreter: 3 } as const
const tag = { needed: 1, strings: 5, versions: 0x6ffffffe, versionCount: 0x6fffffff } as const

interface Segment {
  readonly type: number
  readonly offset: number
  readonly address: number
  readonly size: number
}

/** Undefined: it is no 64-bit little-endian ELF file, or a damaged one. */
export function readElf(bytes: Uint8Array): Elf | undefined {
  try {
    return read(bytes)
  } catch (error) {
    if (error instanceof RangeError) return undefined // an offset that points out of the file
    throw error
  }
}

function read(bytes: Uint8Array): Elf | undefined {
  const file = viewOf(bytes)
  if (file.byteLength < 64 || file.getUint32(0) !== 0x7f454c46) return undefined
  if (file.getUint8(4) !== 2 || file.getUint8(5) !== 1) return undefined
  const segments = segmentsOf(file)
  const loader = segments.find(({ type }) => type === segment.interpreter)
  const dynamic = segments.find(({ type }) => type === segment.dynamic)
  const entries = dynamic ? dynamicOf(file, dynamic) : []
  const valueAt = (wanted: number) => entries.find(([name]) => name === wanted)?.[1] ?? 0
  const offsetOf = (address: number) => {
    const inside = segments.find(
      ({ type, address: from, size }) => type === segment.load && address >= from && address < from + size,
    )
    if (!inside) throw new RangeError('an address outside of the file')
    return address - inside.address + inside.offset
  }
  const strings = dynamic ? offsetOf(valueAt(tag.strings)) : 0
  const versions = valueAt(tag.versionCount) > 0 ? offsetOf(valueAt(tag.versions)) : 0
  const symbols = versions ? symbolVersions(file, versions, valueAt(tag.versionCount), strings) : []
  return {
    arch: archOf[file.getUint16(18, true)] ?? 'other',
    loader: loader ? textAt(file, loader.offset) : '',
    libraries: entries
      .filter(([name]) => name === tag.needed)
      .map(([, value]) => textAt(file, strings + value)),
    glibc: newest(symbols, 'GLIBC_'),
    glibcxx: newest(symbols, 'GLIBCXX_'),
  }
}

/** The same program without what only debuggers read: all that lies behind the last segment. */
export function stripElf(bytes: Uint8Array): Uint8Array {
  const file = viewOf(bytes)
  const end = Math.max(...segmentsOf(file).map(({ offset, size }) => offset + size))
  const stripped = bytes.slice(0, end)
  const header = viewOf(stripped)
  // No section headers: their offset, number, and the one with their names.
  header.setBigUint64(40, 0n, true)
  header.setUint16(60, 0, true)
  header.setUint16(62, 0, true)
  return stripped
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function segmentsOf(file: DataView): Segment[] {
  const [at, size, count] = [number64(file, 32), file.getUint16(54, true), file.getUint16(56, true)]
  return Array.from({ length: count }, (_, index) => {
    const header = at + index * size
    return {
      type: file.getUint32(header, true),
      offset: number64(file, header + 8),
      address: number64(file, header + 16),
      size: number64(file, header + 32),
    }
  })
}

function dynamicOf(file: DataView, { offset, size }: Segment): [number, number][] {
  const entries: [number, number][] = []
  for (let at = offset; at + 16 <= offset + size; at += 16) {
    const name = number64(file, at)
    if (name === 0) break
    entries.push([name, number64(file, at + 8)])
  }
  return entries
}

function symbolVersions(file: DataView, start: number, count: number, strings: number): string[] {
  const names: string[] = []
  let library = start
  for (let i = 0; i < count; i++) {
    let version = library + file.getUint32(library + 8, true)
    for (let left = file.getUint16(library + 2, true); left > 0; left--) {
      names.push(textAt(file, strings + file.getUint32(version + 8, true)))
      version += file.getUint32(version + 12, true)
    }
    library += file.getUint32(library + 12, true)
  }
  return names
}

function newest(symbols: readonly string[], prefix: string): string {
  const versions = symbols
    .filter((name) => name.startsWith(prefix) && /^[\d.]+$/.test(name.slice(prefix.length)))
    .map((name) => name.slice(prefix.length))
  return versions.sort(byVersion).at(-1) ?? ''
}

function byVersion(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

function number64(file: DataView, at: number): number {
  return Number(file.getBigUint64(at, true))
}

function textAt(file: DataView, at: number): string {
  let end = at
  while (file.getUint8(end) !== 0) end++
  return Buffer.from(file.buffer, file.byteOffset + at, end - at).toString('latin1')
}
