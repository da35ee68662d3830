import { closeSync, fstatSync, openSync, statSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { readExactly } from './bundle.ts'

/** The last of what a program writes into a log, from now on. */
export interface Tail {
  readonly stdio: 'inherit' | 'pipe'
  /** What comes from the program, where it does not write into the log itself. */
  follow(stream: Readable | null): void
  read(most: number): string
}

/** Of a log that nobody else writes to meanwhile: the program has it open itself. */
export function tailOfLog(path: string): Tail {
  const from = statSync(path).size
  return {
    stdio: 'inherit',
    follow() {},
    read(most) {
      const file = openSync(path, 'r')
      try {
        const { size } = fstatSync(file)
        const start = Math.max(from, size - most)
        return textOf(readExactly(file, start, Math.max(0, size - start)), start > from)
      } finally {
        closeSync(file)
      }
    },
  }
}

/** Of a log that others write to as well. */
export function tailOfPipe(log: Writable, kept: number): Tail {
  let chunks: Buffer[] = []
  let bytes = 0
  let isCut = false
  return {
    stdio: 'pipe',
    follow(stream) {
      stream?.on('data', (chunk: Buffer) => {
        log.write(chunk)
        chunks.push(chunk)
        bytes += chunk.length
        while (bytes - chunks[0]!.length >= kept) {
          bytes -= chunks.shift()!.length
          isCut = true
        }
      })
    },
    read(most) {
      const all = Buffer.concat(chunks)
      chunks = [all]
      return textOf(all.subarray(Math.max(0, all.length - most)), isCut || all.length > most)
    },
  }
}

/** Without the rest of a character that begins before it. */
function textOf(bytes: Uint8Array, isCut: boolean): string {
  let from = 0
  while (isCut && from < 3 && (bytes[from]! & 0xc0) === 0x80) from++
  return new TextDecoder().decode(bytes.subarray(from))
}
