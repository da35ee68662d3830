import { randomBytes } from 'node:crypto'
import { TransportError } from '../core/errors.ts'
import type { Connection } from './connection.ts'
import { createMarkScanner, frame, openingCommand, openingInput } from './shell-loop.ts'
import type { ExecOptions } from './transport.ts'

export interface ScriptResult {
  exitCode: number
  stdout: Buffer
  stderr: Buffer
}

/** One open shell: runs one script at a time, a round trip each. */
export interface ShellChannel {
  /** The far loop's process id; it leads the process group of all that it runs. */
  readonly pid: number
  readonly closed: boolean
  run(script: string, stdin: ScriptInput, take?: ExecOptions['onStdout']): Promise<ScriptResult>
  /** False: `signal` does nothing. */
  readonly passesSignals: boolean
  /** Asks the server to signal all that runs in it; sshd does so since 7.9, others ignore it. */
  signal(name: 'TERM' | 'KILL'): void
  close(): void
  onClosed(listener: () => void): void
}

/** Bytes, or a stream whose length is known beforehand. */
export type ScriptInput = Uint8Array | { readonly size: number; readonly chunks: AsyncIterable<Uint8Array> }

const empty = new Uint8Array()
const readyTimeoutMs = 60_000

/** @throws TransportError LOGIN_REFUSED when the login shell does not come up; ChannelRefused */
export async function openShellChannel(connection: Connection, name: string): Promise<ShellChannel> {
  const channel = await connection.openChannel(openingCommand)
  const token = randomBytes(16).toString('hex')
  const { stdin: input, stdout, stderr } = channel
  const onClosed = new Set<() => void>()
  let closed = false
  let pid = 0
  let seq = 0
  channel.onClosed(() => {
    closed = true
    for (const listener of [...onClosed]) listener()
  })
  const idle = () => {
    // what a process in the background writes between two commands belongs to none of them
    stdout.on('data', drop)
    stderr.on('data', drop)
  }

  /** Writes, and collects until the mark is there on stdout and on stderr. */
  const exchange = (
    number: number,
    send: () => Promise<void> | void,
    take?: ExecOptions['onStdout'],
  ): Promise<ScriptResult> =>
    connection.guard<ScriptResult>((resolve, reject) => {
      if (closed) return reject(ended(name, number, ''))
      let over = false
      const fail = (error: unknown) => {
        // what is left of the output would stand in the next one's
        release()
        // its output was all there: the channel is good for the next one
        if (over) stdout.resume()
        if (closed || over) return reject(error)
        // nobody is to be given it any more
        onClosed.add(() => reject(error))
        channel.close()
        stdout.resume()
      }
      const taking = take && throttled(stdout, take, fail)
      const scanners = [
        createMarkScanner(token, number, taking?.feed),
        createMarkScanner(token, number),
      ] as const
      const found: ({ output: Buffer; value: number } | undefined)[] = [undefined, undefined]
      const feed = (index: 0 | 1) => (chunk: Buffer) => {
        found[index] ??= scanners[index].feed(chunk)
        const [out, err] = found
        if (!out || !err) return
        over = true
        release()
        const result = { exitCode: out.value, stdout: out.output, stderr: err.output }
        if (taking) taking.idle().then(() => resolve(result))
        else resolve(result)
      }
      const onStdout = feed(0)
      const onStderr = feed(1)
      const onClose = () => {
        release()
        const words = scanners.map((scanner) => scanner.soFar().toString('utf8')).reverse()
        reject((number === 0 && connection.explain?.(words[0] ?? '')) || ended(name, number, words.join('')))
      }
      const release = () => {
        stdout.off('data', onStdout)
        stderr.off('data', onStderr)
        onClosed.delete(onClose)
        idle()
      }
      stdout.off('data', drop)
      stderr.off('data', drop)
      stdout.on('data', onStdout)
      stderr.on('data', onStderr)
      onClosed.add(onClose)
      // half a frame went out; nothing that follows on this channel would be understood
      Promise.resolve(send()).catch(fail)
    })

  const write = (bytes: Uint8Array) =>
    new Promise<void>((resolve) => {
      if (closed || input.write(bytes)) return resolve()
      const go = () => {
        input.off('drain', go)
        onClosed.delete(go)
        resolve()
      }
      input.on('drain', go)
      onClosed.add(go)
    })

  const timer = setTimeout(() => channel.close(), readyTimeoutMs).unref()
  try {
    const ready = await exchange(0, () => void input.write(openingInput(token)))
    pid = ready.exitCode
  } finally {
    clearTimeout(timer)
  }

  return {
    get pid() {
      return pid
    },
    get closed() {
      return closed
    },
    passesSignals: channel.passesSignals,
    run(script, stdin, take) {
      const number = ++seq
      const send = async () => {
        if (stdin instanceof Uint8Array) {
          await write(frame(number, script, stdin))
          return
        }
        await write(frame(number, script, empty, stdin.size))
        for await (const chunk of stdin.chunks) await write(chunk)
      }
      return exchange(number, send, take)
    },
    signal(signalName) {
      if (!closed) channel.signal(signalName)
    },
    close() {
      if (closed) return
      // the loop ends at the end of its input, and its session with it
      input.end()
      channel.close()
    },
    onClosed(listener) {
      if (closed) listener()
      else onClosed.add(listener)
    },
  }
}

function drop(): void {}

/** Hands over what a stream gives, one chunk after the other, and reads no more of it while one is being used. */
export function throttled(
  stream: { pause(): unknown; resume(): unknown },
  onStdout: NonNullable<ExecOptions['onStdout']>,
  onError: (error: unknown) => void,
): { feed(chunk: Buffer): void; idle(): Promise<void> } {
  let last = Promise.resolve()
  let using = 0
  return {
    feed(chunk) {
      using++
      stream.pause()
      last = last
        .then(() => onStdout(chunk))
        .then(() => {
          if (--using === 0) stream.resume()
        }, onError)
    },
    idle: () => last,
  }
}

function ended(name: string, seq: number, output: string): TransportError {
  if (seq > 0)
    return new TransportError('CONNECTION_LOST', `${name}: the shell was ended while a command ran`, {
      hint: 'the server may have stopped it for its use of time or memory; the next call opens another',
      transient: true,
    })
  const words = output.trim().slice(-500)
  return new TransportError(
    'LOGIN_REFUSED',
    `${name}: the shell ended${words ? `; it wrote: ${words}` : ' and wrote nothing'}`,
    {
      hint: 'see whether `ssh HOST true` works, and what your login files (.profile, .bashrc) run without a terminal',
    },
  )
}
