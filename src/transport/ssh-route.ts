import { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { spawnPiped } from './spawn-piped.ts'

/** The bytes to and from a server, whatever carries them. */
export interface Route {
  readonly stream: Duplex
  /** Begins to connect; after the listeners are there. */
  start(): void
  /** Whether it keeps the process alive. */
  hold(on: boolean): void
  /** Why it ended, when it knows better than the error; undefined when it did not end. */
  failure?(): Promise<string | undefined>
}

/** How long after its output a ProxyCommand may take to end and to have said why. */
const endsWithinMs = 500

export function directRoute(host: string, port: number): Route {
  const socket = new Socket()
  return {
    stream: socket,
    start() {
      socket.setNoDelay(true)
      socket.connect({ host, port })
    },
    hold: (on) => void (on ? socket.ref() : socket.unref()),
  }
}

/** Through a connection to another host, which `holdWay` keeps alive. */
export function jumpRoute(stream: Duplex, holdWay: (on: boolean) => void): Route {
  return { stream, start() {}, hold: holdWay }
}

/** Through what a ProxyCommand reads and writes; run by the shell of the user, as ssh does. */
export function commandRoute(command: string, env: NodeJS.ProcessEnv = process.env): Route {
  // of a process group of its own: Ctrl-C is ours to handle
  const child = spawnPiped(env.SHELL || '/bin/sh', ['-c', `exec ${command}`], { env, detached: true })
  const { stdin, stdout, stderr } = child
  const stream = Duplex.from({ writable: stdin, readable: stdout })
  let words = ''
  stderr.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString('utf8')).slice(-500)
  })
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(`ProxyCommand could not be started: ${error.message}`))
    child.on('close', (code, signal) => {
      const said = words.trim()
      resolve(`ProxyCommand '${command}' ended with ${code ?? signal}${said ? `: ${said}` : ''}`)
      stream.destroy()
    })
  })
  stream.on('error', () => {
    // 'close' follows, and that is where it is handled
  })
  stream.on('close', () => child.kill())
  return {
    stream,
    start() {},
    hold(on) {
      for (const held of [child, stdin, stdout, stderr] as unknown as { ref(): void; unref(): void }[])
        if (on) held.ref()
        else held.unref()
    },
    failure: () => Promise.race([ended, sleep(endsWithinMs, undefined, { ref: false })]),
  }
}
