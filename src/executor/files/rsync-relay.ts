/**
 * How rsync reaches its other side: the program that it takes for ssh hands its words and its streams to us, over a socket
 * that this user alone can reach, and the other side runs over the connection that stands.
 */
import { createServer, type Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { nodeProgram } from '../../core/node-program.ts'
import type { Pipe } from '../../transport/transport.ts'

/** A line with the words of the command, then what it reads; what it writes comes back. */
const relay = [
  "const socket = require('net').connect(process.argv[1])",
  "socket.write(JSON.stringify(process.argv.slice(3)) + '\\n')",
  'process.stdin.pipe(socket).pipe(process.stdout)',
  "socket.on('error', () => process.exit(1))",
  "process.stdout.on('error', () => process.exit(1))",
].join(';')

/** For rsync's -e, which splits at spaces and doubles a quote to keep it. */
export function relayCommand(path: string): string {
  const word = (text: string) => `'${text.replaceAll("'", "''")}'`
  return [nodeProgram(), '-e', relay, '--', path].map(word).join(' ')
}

export interface Relay {
  readonly path: string
  readonly listening: Promise<void>
  /** What the far side wrote to stderr. Rejects as the connection did. */
  ended(): Promise<string>
  close(): Promise<void>
}

export function relayTo(
  path: string,
  open: (argv: readonly string[], use: (pipe: Pipe) => Promise<string>) => Promise<string>,
): Relay {
  const sockets = new Set<Socket>()
  let far: Promise<string> = Promise.resolve('')
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {
      // rsync has gone; its exit code says why
    })
    far = firstLine(socket)
      .then((line) => open(JSON.parse(line) as string[], (pipe) => join(socket, pipe)))
      .finally(() => socket.destroySoon())
    far.catch(() => {}) // told by `ended`
  })
  const listening = new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve)
  })
  return {
    path,
    listening,
    ended: () => far,
    async close() {
      for (const socket of sockets) socket.destroy()
      await far.catch(() => {}) // told by `ended`
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function join(socket: Socket, { stdin, stdout, stderr, ended }: Pipe): Promise<string> {
  let words = ''
  stderr.on('data', (bytes: Uint8Array) => {
    words = (words + Buffer.from(bytes).toString('utf8')).slice(-10_000)
  })
  // which of the two ended first, and why, its exit code says
  pipeline(socket, stdin as Writable).catch(() => {})
  const back = pipeline(stdout as Readable, socket).catch(() => {})
  await ended
  await back
  return words
}

function firstLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let held = Buffer.alloc(0)
    const take = (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      const end = held.indexOf(10)
      if (end < 0) return
      socket.off('data', take).off('close', gone).pause()
      socket.unshift(held.subarray(end + 1))
      resolve(held.toString('utf8', 0, end))
    }
    const gone = () => reject(new Error('rsync has gone'))
    socket.on('data', take).on('close', gone)
  })
}
