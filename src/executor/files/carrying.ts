/** What transfers in either direction, of small files and of large ones, share. */
import { setTimeout as sleep } from 'node:timers/promises'
import { FileError, TransportError } from '../../core/errors.ts'
import { nameFromBytes, nameToBytes } from '../../files/names.ts'
import type { Carrying } from './end.ts'

/** Told how many bytes of a file are there. */
export type Arrived = (bytes: number) => void

export function countUp({ onBytes }: Carrying): Arrived {
  let told = 0
  return (bytes) => {
    if (bytes <= told) return
    onBytes(bytes - told)
    told = bytes
  }
}

/** Waits before what a lost connection has cut is gone on with, milliseconds. */
const waits = [500, 1_000, 2_000, 4_000, 8_000]

export async function insist(work: () => Promise<void>): Promise<void> {
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

/** Paths below a folder, each ended by NUL; a dash in front is no option. */
export function listOf(relatives: readonly string[]): Buffer {
  return Buffer.concat(relatives.flatMap((one) => [Buffer.from('./'), nameToBytes(one), Buffer.alloc(1)]))
}

export function splitAtNul(bytes: Buffer): string[] {
  const all: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at)
    all.push(nameFromBytes(bytes.subarray(at, end < 0 ? bytes.length : end)))
    at = end < 0 ? bytes.length : end + 1
  }
  return all
}

export function changed(path: string): FileError {
  return new FileError('FILE_TRANSFER_FAILED', `${path} changed while it was transferred`, path, {
    hint: 'wait until nobody writes to it, and transfer it again',
  })
}

export const signalOf = ({ signal }: Carrying) => (signal ? { signal } : {})
