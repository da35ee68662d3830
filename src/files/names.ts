/**
 * Names of files as text. Most are UTF-8. A byte that is not becomes a lone surrogate, U+DC80 for 0x80 up to U+DCFF, as in
 * Python: no name is lost, and what was listed can be opened.
 */
export function nameFromBytes(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = buffer.toString('utf8')
  if (!text.includes('\ufffd') || Buffer.from(text).equals(buffer)) return text
  let name = ''
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceAt(buffer, at)
    if (length === 0) name += String.fromCharCode(0xdc00 + buffer[at]!)
    else name += buffer.toString('utf8', at, at + length)
    at += length || 1
  }
  return name
}

/** Bytes of the whole character that begins here; 0: there is none. */
function sequenceAt(bytes: Buffer, at: number): number {
  const first = bytes[at]!
  const length = first < 0x80 ? 1 : first >> 5 === 6 ? 2 : first >> 4 === 14 ? 3 : first >> 3 === 30 ? 4 : 0
  if (length < 2) return length
  const part = bytes.subarray(at, at + length)
  return Buffer.from(part.toString('utf8')).equals(part) ? length : 0
}

const oddByte = /[\udc80-\udcff]/

/** Whether a name holds bytes that are no UTF-8. */
export function isOdd(name: string): boolean {
  return oddByte.test(name) && /(?<![\ud800-\udbff])[\udc80-\udcff]/.test(name)
}

export function nameToBytes(name: string): Buffer {
  if (!isOdd(name)) return Buffer.from(name)
  const parts = name.split(/((?<![\ud800-\udbff])[\udc80-\udcff])/)
  return Buffer.concat(
    parts.map((part, index) =>
      index % 2 === 1 ? Buffer.from([part.charCodeAt(0) - 0xdc00]) : Buffer.from(part),
    ),
  )
}

/** What node:fs takes. */
export function nativeName(name: string): string | Buffer {
  return isOdd(name) ? nameToBytes(name) : name
}
