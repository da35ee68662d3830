import { randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import type { Channel, Connection } from './connection.ts'
import { openingCommand, pipeInput } from './shell-loop.ts'

/** A session of its own for one program that talks both ways. What start-up files print is dropped. */
export async function openShellPipe(connection: Connection, argv: readonly string[]): Promise<Channel> {
  const channel = await connection.openChannel(openingCommand)
  const token = randomBytes(16).toString('hex')
  const mark = Buffer.from(`\n${token}\n`)
  const stdout = new PassThrough()
  let before: Buffer | undefined = Buffer.alloc(0)
  channel.stdout.on('data', (chunk: Buffer) => {
    if (before === undefined) {
      if (stdout.write(chunk)) return
      channel.stdout.pause()
      stdout.once('drain', () => channel.stdout.resume())
      return
    }
    before = Buffer.concat([before, chunk])
    const at = before.indexOf(mark)
    if (at >= 0) {
      stdout.write(before.subarray(at + mark.length))
      before = undefined
    } else before = before.subarray(-mark.length)
  })
  channel.stdout.on('end', () => stdout.end())
  channel.onClosed(() => stdout.end())
  channel.stdin.write(pipeInput(token, argv))
  return { ...channel, stdout }
}
