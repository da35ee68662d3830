import { FarcallError } from '../../core/errors.ts'
import { decodeRecords, readRecord, recordHeader } from '../../core/pack.ts'
import { paths, yieldsFile } from '../../core/protocol.ts'
import type { YieldPosition } from '../../core/yields.ts'
import type { Transport } from '../../transport/transport.ts'
import type { StreamItem } from '../executor.ts'
import { ackScript, yieldsScript } from './member-scripts.ts'
import type { Persist } from './persist.ts'
import { placeFailed } from './place.ts'
import { Together } from './together.ts'

/** More than this is copied as a file, which is quicker, and less comes as the answer of a command. */
const answerLimit = 1_000_000

interface Place {
  readonly transport: Transport
  readonly workdir: string
}

interface Wanted {
  readonly stream: StreamItem
  readonly from: number
  readonly limit: number
}

interface Read {
  readonly stream: StreamItem
  readonly position: YieldPosition
}

/** Tries again while what is in the way passes. */

/** Reads what items of streams have yielded, and tells them how far. What is asked within one turn is one command. */
export class YieldFiles {
  readonly #place: Place
  readonly #reads: Together<Wanted, Uint8Array>
  readonly #acks: Together<Read, boolean>

  constructor(place: Place, persist: Persist) {
    this.#place = place
    this.#reads = new Together((asked) => persist(() => this.#readAll(asked)))
    this.#acks = new Together((asked) => persist(() => this.#tellAll(asked)))
  }

  /** The values that lie there from byte `from` on: up to `limit` bytes, and one at least. */
  async read(stream: StreamItem, from: number, limit: number): Promise<readonly Uint8Array[]> {
    const large = limit > answerLimit && stream.attempt !== undefined
    const bytes = large
      ? await this.#copy(stream, from, limit)
      : await this.#reads.ask({ stream, from, limit: Math.min(limit, answerLimit) })
    const { records } = decodeRecords(bytes)
    if (records.length > 0) return records.map((record) => record.bytes)
    const length = await lengthOf(bytes)
    // One value that is larger than all that.
    return length > bytes.byteLength && length > limit ? this.read(stream, from, length) : []
  }

  /** @throws FarcallError COMMAND_FAILED */
  async acknowledge(stream: StreamItem, position: YieldPosition): Promise<void> {
    if (await this.#acks.ask({ stream, position })) return
    throw new FarcallError('COMMAND_FAILED', `job ${stream.id} could not be told how far it was read`, {
      transient: true,
    })
  }

  async #copy({ id, attempt, member, item }: StreamItem, from: number, limit: number): Promise<Uint8Array> {
    const { transport, workdir } = this.#place
    const file = `${workdir}/${paths.run(id, attempt!, member)}/${yieldsFile(item)}`
    return (await transport.get(file, { from, length: limit })) ?? new Uint8Array()
  }

  async #readAll(asked: readonly Wanted[]): Promise<Uint8Array[]> {
    const lines = asked.map(({ stream, from, limit }) => `${nameOf(stream)} ${from} ${limit}`)
    const bytes = await this.#run(yieldsScript, lines)
    let at = 0
    return asked.map(() => {
      const newline = bytes.indexOf(10, at)
      const size = Number(/^yields (\d+)$/.exec(bytes.toString('latin1', at, Math.max(at, newline)))?.[1])
      const start = newline + 1
      if (!(start + size <= bytes.length))
        throw new FarcallError('COMMAND_FAILED', 'what a job has yielded changed while it was read', {
          transient: true,
        })
      at = start + size
      return bytes.subarray(start, at)
    })
  }

  async #tellAll(asked: readonly Read[]): Promise<boolean[]> {
    const lines = asked.map(({ stream, position: { count, bytes } }) => `${nameOf(stream)} ${count} ${bytes}`)
    const untold = new Set((await this.#run(ackScript, lines)).toString('latin1').split('\n'))
    return asked.map((_, line) => !untold.has(String(line)))
  }

  async #run(script: string, lines: readonly string[]): Promise<Buffer> {
    const { transport, workdir } = this.#place
    const argv = ['sh', '-c', script, 'farcall', workdir]
    const result = await transport.exec({ argv, stdin: lines.map((line) => `${line}\n`).join('') })
    if (result.exitCode !== 0) throw placeFailed(result, transport.name)
    return Buffer.from(result.stdout)
  }
}

function nameOf({ id, attempt = 0, member, item }: StreamItem): string {
  return `${id} ${attempt} ${member} ${item}`
}

/** Of the record that the bytes begin with, its header included; 0: of none. */
async function lengthOf(bytes: Uint8Array): Promise<number> {
  const record = await readRecord(async (at, length) => bytes.subarray(at, at + length), 0)
  return record ? recordHeader + record.length : 0
}
