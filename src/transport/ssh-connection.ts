import type { Duplex, Readable } from 'node:stream'
import type { Client, ClientChannel, ConnectConfig } from 'ssh2'
import SftpClient from 'ssh2-sftp-client'
import { TransportError } from '../core/errors.ts'
import { type Channel, ChannelRefused, type Connection, createLifeline } from './connection.ts'
import { connectionClosed } from './failures.ts'
import { joinOwnTerminal, ownTerminalSize } from './own-terminal.ts'
import { createSftpChannels } from './sftp-channel.ts'
import { signalNumbers } from './signals.ts'
import type { LoginAttempts } from './ssh-auth.ts'
import { openBulkSession } from './ssh-bulk.ts'
import type { SshTarget } from './ssh-config.ts'
import type { HostKeyCheck } from './ssh-host-key.ts'
import type { Route } from './ssh-route.ts'

/** ssh2-sftp-client's own ssh2 client, on which commands run too: one connection for both. */
interface SftpSession extends SftpClient {
  client: Client
}

export interface ConnectionOptions {
  /** 'me@login.hpc.edu:22', for messages. */
  readonly name: string
  readonly target: Pick<SshTarget, 'host' | 'port' | 'user'>
  readonly attempts: LoginAttempts
  readonly hostKey: HostKeyCheck
  readonly route: Route
  /** Not counted while a person is asked. */
  readonly connectTimeoutMs: number
  readonly keepalive: { readonly everyMs: number; readonly count: number }
  /** Aborts when the login cannot go on, with the reason. */
  readonly signal: AbortSignal
}

/** Measured: GCM is ahead with ssh2's native part and without it; chacha20 comes next, by far only with it. */
const fastestFirst = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
] as const

/** The server closed the connection before anybody had said who he is (MaxStartups). */
export class TurnedAway extends Error {}

/** Connects, checks the host key, logs in. @throws TransportError, TurnedAway */
export async function connect(options: ConnectionOptions): Promise<Connection> {
  const { name, target, hostKey, attempts, route, signal } = options
  const { stream } = route
  const quiet = { error() {}, end() {}, close() {} } // the library's own callbacks print
  const { client } = new SftpClient('farcall', quiet) as SftpSession
  client.setMaxListeners(0)
  // ssh2 throws when it knows that the socket is gone, which may be before it says so.
  const lifeline = createLifeline((thrown) =>
    thrown instanceof Error && thrown.message === 'Not connected' ? connectionLost(name) : thrown,
  )
  const { guard, lose, onLost } = lifeline
  let reason: unknown
  let banner = ''

  const ready = new Promise<void>((resolve, reject) => {
    let settled = false
    const settle = () => {
      settled = true
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
    const fail = (error: unknown) => {
      if (settled) return
      settle()
      stream.destroy()
      reject(error)
    }
    const timer = setTimeout(
      () =>
        attempts.asked || fail(unreachable(name, `no answer within ${options.connectTimeoutMs / 1000} s`)),
      options.connectTimeoutMs,
    )
    const onAbort = () => fail(signal.reason)
    signal.addEventListener('abort', onAbort)
    client.on('banner', (text) => {
      banner += text
    })
    client.on('change password', () =>
      fail(refusedWith(attempts, name, 'the password has expired, and a new one is asked for')),
    )
    client.on('error', (error: Error & { level?: string }) => {
      // the agent failed; the next way to log in is tried
      if (error.level === 'agent') return attempts.note(`agent: ${error.message}`)
      reason = error
      fail(hostKey.failure ?? connectFailure(error, banner, options))
    })
    client.on('close', () => {
      fail(hostKey.failure ?? closedAtLogin(options, reason))
      lose(connectionLost(name, reason))
    })
    client.on('ready', () => {
      settle()
      resolve()
    })
    const config: ConnectConfig = {
      // ssh2 knows only how to write to it and to read from it
      sock: stream as Readable,
      username: target.user,
      readyTimeout: 0,
      authHandler: attempts.handler as NonNullable<ConnectConfig['authHandler']>,
      hostVerifier: (key: Buffer) => hostKey.verify(key),
      algorithms: { ...hostKey.algorithms, cipher: [...fastestFirst], compress: ['none'] },
    }
    try {
      client.connect(config)
      hearRefusals(client, attempts)
      route.start()
    } catch (error) {
      fail(error)
    }
  })

  await ready.catch(async (error) => {
    const isOfRoute = error instanceof TurnedAway || error?.code === 'HOST_UNREACHABLE'
    const why = isOfRoute && (await route.failure?.())
    throw why ? unreachable(name, why, error) : error
  })

  const keepalive = startKeepalive(client, stream, options.keepalive, () => {
    lose(connectionLost(name, new Error('the server stopped answering')))
    stream.destroy()
  })

  onLost(() => clearInterval(keepalive))

  const sftpChannels = createSftpChannels({ name, client, lifeline, isRefusal })

  const open = (start: (done: (error: Error | undefined, channel: ClientChannel) => void) => void) =>
    guard<ClientChannel>((resolve, reject) =>
      start((error, channel) => {
        if (!error) return resolve(channel)
        reject(isRefusal(error) ? new ChannelRefused(error.message) : connectionLost(name, error))
      }),
    )

  return {
    get lost() {
      return lifeline.lost
    },
    guard,
    openChannel: async (command) => channelOf(await open((done) => client.exec(command, done))),
    async runOnTerminal(command) {
      const size = ownTerminalSize()
      const pty = size && { term: process.env.TERM ?? 'xterm', rows: size.rows, cols: size.columns }
      const session = await open((done) => {
        if (command === undefined) client.shell(pty ?? false, done)
        else client.exec(command, pty ? { pty } : {}, done)
      })
      const channel = channelOf(session)
      const over = guard<number>((resolve) => channel.onClosed((exitCode) => resolve(exitCode ?? 255)))
      const onResize = ({ rows, columns }: { rows: number; columns: number }) =>
        session.setWindow(rows, columns, 0, 0)
      return joinOwnTerminal(channel, { onResize: size && onResize, over })
    },
    dial: (toHost, toPort) =>
      guard<Duplex>((resolve, reject) => {
        client.forwardOut('127.0.0.1', 0, toHost, toPort, (error, stream) => {
          if (error) reject(error)
          else resolve(stream)
        })
      }),
    openBulk: (onTrip) => openBulkSession(sftpChannels, onTrip),
    onLost,
    ref: () => route.hold(true),
    unref: () => route.hold(false),
    drop() {
      lose(connectionLost(name))
      stream.destroy()
    },
    async close() {
      lose(connectionClosed(name))
      if (stream.destroyed) return
      const ended = new Promise<void>((resolve) => client.once('close', () => resolve()))
      client.end()
      const force = setTimeout(() => stream.destroy(), 1000)
      await ended
      clearTimeout(force)
    },
  }
}

/**
 * Tells which ways are left after each refusal. ssh2 itself forgets it where the key came from an agent, and would go on
 * with the ways that were there before that key was taken.
 */
function hearRefusals(client: Client, attempts: LoginAttempts): void {
  type Refusal = (protocol: unknown, methods: string[], partial: boolean) => void
  const { _protocol } = client as unknown as { _protocol: { _handlers: { USERAUTH_FAILURE: Refusal } } }
  const { USERAUTH_FAILURE: refused } = _protocol._handlers
  _protocol._handlers.USERAUTH_FAILURE = (protocol, methods, partial) => {
    attempts.heard(methods, partial)
    refused(protocol, methods, partial)
  }
}

function channelOf(channel: ClientChannel): Channel {
  let exitCode: number | undefined
  channel.on('exit', (code: number | null, signal?: string) => {
    exitCode = code ?? 128 + (signalNumbers[signal ?? 'SIGTERM'] ?? 0)
  })
  channel.on('error', () => {
    // a broken channel also closes, and that is where it is handled
  })
  return {
    stdin: channel,
    stdout: channel,
    stderr: channel.stderr,
    passesSignals: true,
    signal: (name) => channel.signal(name),
    close: () => channel.close(),
    onClosed: (listener) => void channel.once('close', () => listener(exitCode)),
  }
}

/** ssh2's own timer would hold the process; this one does not. */
function startKeepalive(
  client: Client,
  stream: Duplex,
  { everyMs, count }: ConnectionOptions['keepalive'],
  onDead: () => void,
): NodeJS.Timeout {
  const internals = client as unknown as { _callbacks: (() => void)[]; _protocol: { ping(): void } }
  let silent = 0
  stream.on('data', () => {
    silent = 0
  })
  return setInterval(() => {
    if (silent++ > count) return onDead()
    if (silent > 1) {
      internals._callbacks.push(() => {}) // the answer to the ping takes one
      internals._protocol.ping()
    }
  }, everyMs).unref()
}

export function isRefusal(error: Error): boolean {
  return /Channel open failure|Unable to (exec|start subsystem)/i.test(error.message)
}

export function connectionLost(name: string, cause?: unknown): TransportError {
  const why = cause instanceof Error ? `: ${cause.message}` : ''
  return new TransportError('CONNECTION_LOST', `${name}: the connection was lost${why}`, {
    hint: 'jobs go on without it; the next call connects again',
    cause,
    transient: true,
  })
}

export function unreachable(name: string, why: string, cause?: unknown): TransportError {
  return new TransportError('HOST_UNREACHABLE', `${name}: ${why}`, {
    hint: 'check host and port of the profile, your network and VPN, and whether `ssh` reaches it',
    cause,
    transient: true,
  })
}

function refusedWith(attempts: LoginAttempts, name: string, note: string, cause?: unknown): TransportError {
  attempts.note(note)
  return attempts.refused(name, cause)
}

/** Before anybody had said who he is the server may be busy; later it has had enough of us. */
function closedAtLogin({ attempts, name }: ConnectionOptions, reason: unknown): Error {
  if (attempts.asked)
    return refusedWith(attempts, name, 'the server closed it while it waited for an answer', reason)
  return new TurnedAway('the server closed the connection', { cause: reason })
}

function connectFailure(
  error: Error & { level?: string; code?: string | number; errors?: Error[] },
  banner: string,
  options: ConnectionOptions,
): Error {
  const { name, target, attempts } = options
  if (banner.trim() && attempts.begun) attempts.note(`the server says: ${banner.trim().slice(-300)}`)
  if (error.level === 'client-authentication') return attempts.refused(name, error)
  // the server's own words for why it has had enough
  if (attempts.begun && typeof error.code === 'number')
    return refusedWith(attempts, name, error.message, error)
  if (error.level === 'handshake' && /no matching/.test(error.message))
    return new TransportError('HOST_UNREACHABLE', `${name}: ${error.message}`, {
      hint: "the server takes only ciphers or keys that ssh2 does not know; transport: 'openssh' uses the system's ssh",
      cause: error,
    })
  const words: Record<string, string> = {
    ECONNREFUSED: `nothing listens on port ${target.port}`,
    ENOTFOUND: `the name ${target.host} is not known`,
    EAI_AGAIN: `the name ${target.host} could not be looked up`,
    EHOSTUNREACH: 'there is no route to it',
    ENETUNREACH: 'there is no route to it',
    ETIMEDOUT: 'no answer',
  }
  if (error.code === 'ECONNRESET' || /lost before handshake/.test(error.message))
    return closedAtLogin(options, error)
  if (isDeniedByDeno(error))
    return new TransportError('HOST_UNREACHABLE', `${name}: Deno was not given leave to reach it`, {
      hint: `run with --allow-net=${target.host}:${target.port}`,
      cause: error,
    })
  const text = words[String(error.code)] ?? (error.message || error.errors?.[0]?.message || 'cannot connect')
  return unreachable(name, text, error)
}

/** Deno answers so to a name that it may not look up; a resolver has no EPERM. */
function isDeniedByDeno(error: Error & { code?: string | number; syscall?: string }): boolean {
  return error.name === 'NotCapable' || (error.code === 'EPERM' && error.syscall === 'getaddrinfo')
}
