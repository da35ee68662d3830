/** A tar archive, as far as packages need it: files, symbolic links, names of any length (pax). For `tar` to read, too. */
export interface TarEntry {
  /** Relative, with '/'. */
  readonly path: string
  /** Of a symbolic link; then there is no content. */
  readonly target?: string
  readonly executable?: boolean
  readonly size: number
}

export const blockSize = 512

/** The header, and for what does not fit into one a pax header before it. Without times and owners: the same for all. */
export function encodeHeader({ path, target = '', executable = false, size }: TarEntry): Uint8Array {
  const type = target === '' ? '0' : '2'
  const long = [
    ...(fits(path) ? [] : [paxRecord('path', path)]),
    ...(fits(target) ? [] : [paxRecord('linkpath', target)]),
  ].join('')
  const mode = executable ? 0o700 : 0o600
  const plain = block({
    path: fits(path) ? path : 'long',
    target: fits(target) ? target : 'long',
    type,
    mode,
    size,
  })
  if (long === '') return plain
  const text = Buffer.from(long)
  const pax = block({ path: 'pax', target: '', type: 'x', mode: 0o600, size: text.length })
  return Buffer.concat([pax, text, padding(text.length), plain])
}

/** What fills up the content's last block. */
export function padding(size: number): Uint8Array {
  return new Uint8Array((blockSize - (size % blockSize)) % blockSize)
}

/** What an archive ends with. */
export const ending = new Uint8Array(2 * blockSize)

const fits = (name: string) => Buffer.byteLength(name) <= 100 && /^[\x20-\x7e]*$/.test(name)

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  const bytes = Buffer.byteLength(rest)
  // The length counts its own digits.
  let length = bytes + String(bytes).length
  length = bytes + String(length).length
  return `${length}${rest}`
}

interface Fields {
  path: string
  target: string
  type: string
  mode: number
  size: number
}

function block({ path, target, type, mode, size }: Fields): Uint8Array {
  const header = Buffer.alloc(blockSize)
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
  header.write(path, 0, 'latin1')
  octal(mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(0, 136, 12)
  header.write(' '.repeat(8), 148, 'latin1')
  header.write(type, 156, 'latin1')
  header.write(target, 157, 'latin1')
  header.write('ustar\x0000', 257, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

export type Header = (TarEntry & { readonly type: string }) | undefined

/** Undefined: the archive ends here. @throws Error when it is no header */
export function decodeHeader(header: Buffer): Header {
  if (header.every((byte) => byte === 0)) return undefined
  const text = (at: number, length: number) => {
    const end = header.indexOf(0, at)
    return header.toString('utf8', at, end < 0 || end > at + length ? at + length : end)
  }
  const number = (at: number, length: number) => {
    const digits = text(at, length).trim()
    if (!/^[0-7]+$/.test(digits)) throw new Error(`a header holds ${JSON.stringify(digits)} for a number`)
    return Number.parseInt(digits, 8)
  }
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0)
  if (number(148, 8) !== sum) throw new Error('the checksum of a header is wrong')
  const target = text(157, 100)
  const type = text(156, 1)
  return {
    path: text(0, 100),
    ...(type === '2' ? { target } : {}),
    executable: (number(100, 8) & 0o100) !== 0,
    size: number(124, 12),
    type,
  }
}

/** @throws Error when it is no pax header */
export function decodePax(content: Buffer): Map<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at)
    const length = Number(content.toString('latin1', at, Math.max(at, space)))
    const record = content.toString('utf8', space + 1, at + length - 1)
    const equals = record.indexOf('=')
    if (space < 0 || !(length > space - at + 1) || at + length > content.length || equals < 0)
      throw new Error('a pax header is damaged')
    records.set(record.slice(0, equals), record.slice(equals + 1))
    at += length
  }
  return records
}
