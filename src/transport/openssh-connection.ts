import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import type { TransportError } from '../core/errors.ts'
import { type Channel, ChannelRefused, type Connection, createLifeline } from './connection.ts'
import { connectionClosed } from './failures.ts'
import { runOnTerminal } from './local-process.ts'
import { askSsh, clientOptions, sshNotStarted } from './openssh-command.ts'
import { ownTerminalSize } from './own-terminal.ts'
import { spawnPiped } from './spawn-piped.ts'
import { connectionLost } from './ssh-connection.ts'

export interface Master {
  readonly name: string
  readonly host: string
  readonly controlPath: string
  /** Ends it, when it is ours. */
  end(): Promise<void>
}

/** A running master of the system's ssh: each session, and each stream to a port, is a process of ssh that goes over it. */
export function connectionOver({ name, host, controlPath, end }: Master): Connection {
  const lifeline = createLifeline()
  const { guard, lose, onLost } = lifeline
  const running = new Set<ChildProcessWithoutNullStreams>()
  let held = true
  let doubt: Promise<void> | undefined

  const client = [...clientOptions(controlPath)]

  /** A session that ended by itself may have ended with the master. */
  const check = async () => {
    const { exitCode } = await askSsh([...client, '-O', 'check', '--', host])
    if (exitCode !== 0) lose(connectionLost(name))
  }
  const doubted = () => {
    doubt ??= check().finally(() => {
      doubt = undefined
    })
    doubt.catch(() => {}) // told to who asks meanwhile; who comes later finds out as well
  }

  const start = async (argv: readonly string[]) => {
    // of a process group of its own: Ctrl-C is ours to handle
    const child = spawnPiped('ssh', [...client, ...argv], { detached: true })
    running.add(child)
    hold(child, held)
    for (const stream of [child.stdin, child.stdout, child.stderr])
      stream.on('error', () => {
        // a broken pipe: 'close' follows, and that is where it is handled
      })
    child.on('close', () => {
      running.delete(child)
      if (!lifeline.lost) doubted()
    })
    await once(child, 'spawn').catch((error: Error) => {
      throw sshNotStarted(error)
    })
    return child
  }

  const giveUp = (error: TransportError) => {
    lose(error)
    for (const child of running) child.kill()
  }

  return {
    get lost() {
      return lifeline.lost
    },
    guard,
    onLost,
    async verify() {
      await doubt
    },
    openChannel: async (command) => {
      if (lifeline.lost) throw lifeline.lost
      return channelOf(await start(['-T', '--', host, command]))
    },
    explain(words) {
      if (/refused by peer|session request failed|open failed/i.test(words))
        return new ChannelRefused(words.trim())
      if (/Control socket|mux_client|Connection closed|closed by/i.test(words)) {
        const error = connectionLost(name)
        lose(error)
        return error
      }
      return undefined
    },
    async runOnTerminal(command) {
      const terminal = ownTerminalSize() ? ['-t'] : ['-T']
      const argv = [...client, ...terminal, '--', host, ...(command === undefined ? [] : [command])]
      const exitCode = await runOnTerminal('ssh', argv, '/')
      if (exitCode === 255) await check()
      if (lifeline.lost) throw lifeline.lost
      return exitCode
    },
    async dial(toHost, toPort) {
      if (lifeline.lost) throw lifeline.lost
      const bracketed = toHost.includes(':') ? `[${toHost}]` : toHost
      const { stdin, stdout } = await start(['-W', `${bracketed}:${toPort}`, '--', host])
      return Duplex.from({ writable: stdin, readable: stdout })
    },
    // sftp brings nothing that a shell's stream does not
    openBulk: async () => undefined,
    ref() {
      held = true
      for (const child of running) hold(child, true)
    },
    unref() {
      held = false
      for (const child of running) hold(child, false)
    },
    drop() {
      giveUp(connectionLost(name))
      // Nobody waits for it, and a master that was not told ends by itself.
      end().catch(() => {})
    },
    async close() {
      giveUp(connectionClosed(name))
      await end()
    },
  }
}

function channelOf(child: ChildProcessWithoutNullStreams): Channel {
  const { stdin, stdout, stderr } = child
  return {
    stdin,
    stdout,
    stderr,
    passesSignals: false,
    signal() {},
    close: () => void child.kill(),
    onClosed: (listener) => void child.once('close', (code) => listener(code ?? undefined)),
  }
}

function hold(child: ChildProcessWithoutNullStreams, on: boolean): void {
  const parts = [child, child.stdin, child.stdout, child.stderr] as unknown as {
    ref(): void
    unref(): void
  }[]
  for (const part of parts) {
    if (on) part.ref()
    else part.unref()
  }
}
