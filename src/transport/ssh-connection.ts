import { Socket } from 'node:net'
import type { Client, ClientChannel, ConnectConfig } from 'ssh2'
import SftpClient from 'ssh2-sftp-client'
import { TransportError } from '../core/errors.ts'
import { connectionClosed } from './failures.ts'
import type { LoginAttempts } from './ssh-auth.ts'
import type { HostKeyCheck } from './ssh-host-key.ts'

/** ssh2-sftp-client's own ssh2 client, on which commands run too: one connection for both. */
export interface SftpSession extends SftpClient {
  client: Client
  sftp?: import('ssh2').SFTPWrapper
}

export interface ConnectionOptions {
  /** 'me@login.hpc.edu:22', for messages. */
  name: string
  host: string
  port: number
  user: string
  attempts: LoginAttempts
  hostKey: HostKeyCheck
  connectTimeoutMs: number
  keepaliveMs: number
}

export interface Connection {
  readonly sftpClient: SftpSession
  readonly lost: TransportError | undefined
  /** Runs a call of ssh2 and rejects it when the connection goes, which ssh2 alone does not do. */
  guard<T>(start: (resolve: (value: T) => void, reject: (error: unknown) => void) => void): Promise<T>
  /** A new session channel that runs this. @throws ChannelRefused */
  openChannel(command: string): Promise<ClientChannel>
  onLost(listener: (error: TransportError) => void): void
  ref(): void
  unref(): void
  /** Gives it up at once; what is pending is rejected with CONNECTION_LOST. */
  drop(): void
  close(): Promise<void>
}

/** The server gives no further session on this connection (MaxSessions). */
export class ChannelRefused extends Error {}

/** The server closed the connection before anybody had said who he is (MaxStartups). */
export class TurnedAway extends Error {}

/** Connects, checks the host key, logs in. @throws TransportError, TurnedAway */
export async function connect(options: ConnectionOptions): Promise<Connection> {
  const { name, host, port, hostKey, attempts } = options
  const socket = new Socket()
  const quiet = { error() {}, end() {}, close() {} } // the library's own callbacks print
  const sftpClient = new SftpClient('farcall', quiet) as SftpSession
  const { client } = sftpClient
  client.setMaxListeners(0)
  const pending = new Set<(error: TransportError) => void>()
  const listeners: ((error: TransportError) => void)[] = []
  let lost: TransportError | undefined
  let reason: unknown
  let keepalive: NodeJS.Timeout | undefined

  const lose = (error: TransportError) => {
    if (lost) return
    lost = error
    clearInterval(keepalive)
    for (const reject of pending) reject(error)
    pending.clear()
    for (const listener of listeners) listener(error)
  }

  await new Promise<void>((resolve, reject) => {
    let settled = false
    const fail = (error: unknown) => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    }
    const timer = setTimeout(
      () => fail(unreachable(name, `no answer within ${options.connectTimeoutMs / 1000} s`)),
      options.connectTimeoutMs,
    )
    client.on('error', (error: Error & { level?: string }) => {
      // the agent failed; the next way to log in is tried
      if (error.level === 'agent') return attempts.note(`agent: ${error.message}`)
      reason = error
      fail(hostKey.failure ?? connectFailure(error, options))
    })
    client.on('close', () => {
      fail(hostKey.failure ?? new TurnedAway('the server closed the connection', { cause: reason }))
      lose(connectionLost(name, reason))
    })
    client.on('ready', () => {
      settled = true
      clearTimeout(timer)
      resolve()
    })
    const config: ConnectConfig = {
      sock: socket,
      host,
      port,
      username: options.user,
      readyTimeout: 0,
      authHandler: attempts.handler as NonNullable<ConnectConfig['authHandler']>,
      hostVerifier: (key: Buffer) => hostKey.verify(key),
      algorithms: hostKey.algorithms,
    }
    try {
      client.connect(config)
      socket.setNoDelay(true)
      socket.connect({ host, port })
    } catch (error) {
      fail(error)
    }
  })

  keepalive = startKeepalive(client, socket, options.keepaliveMs, () => {
    lose(connectionLost(name, new Error('the server stopped answering')))
    socket.destroy()
  })

  const guard: Connection['guard'] = (start) =>
    new Promise((resolve, reject) => {
      if (lost) return reject(lost)
      pending.add(reject)
      const settle = () => pending.delete(reject)
      try {
        start(
          (value) => {
            settle()
            resolve(value)
          },
          (error) => {
            settle()
            reject(lost ?? error)
          },
        )
      } catch (error) {
        settle()
        // ssh2 throws when it knows already that the socket is gone
        reject(lost ?? error)
      }
    })

  return {
    sftpClient,
    get lost() {
      return lost
    },
    guard,
    openChannel: (command) =>
      guard((resolve, reject) => {
        client.exec(command, (error, channel) => {
          if (!error) return resolve(channel)
          reject(isRefusal(error) ? new ChannelRefused(error.message) : connectionLost(name, error))
        })
      }),
    onLost(listener) {
      if (lost) listener(lost)
      else listeners.push(listener)
    },
    ref: () => void socket.ref(),
    unref: () => void socket.unref(),
    drop() {
      lose(connectionLost(name))
      socket.destroy()
    },
    async close() {
      lose(connectionClosed(name))
      if (socket.destroyed) return
      const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
      client.end()
      const force = setTimeout(() => socket.destroy(), 1000)
      await ended
      clearTimeout(force)
    },
  }
}

/** ssh2's own timer would hold the process; this one does not. */
function startKeepalive(client: Client, socket: Socket, everyMs: number, onDead: () => void): NodeJS.Timeout {
  const internals = client as unknown as { _callbacks: (() => void)[]; _protocol: { ping(): void } }
  let silent = 0
  let seen = socket.bytesRead
  return setInterval(() => {
    silent = socket.bytesRead === seen ? silent + 1 : 0
    seen = socket.bytesRead
    if (silent > 3) return onDead()
    if (silent > 0) {
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

function unreachable(name: string, why: string, cause?: unknown): TransportError {
  return new TransportError('HOST_UNREACHABLE', `${name}: ${why}`, {
    hint: 'check host and port of the profile, your network and VPN, and whether `ssh` reaches it',
    cause,
    transient: true,
  })
}

function connectFailure(
  error: Error & { level?: string; code?: string; errors?: Error[] },
  options: ConnectionOptions,
): Error {
  const { name, host, port, attempts } = options
  if (error.level === 'client-authentication') return attempts.refused(name, error)
  const words: Record<string, string> = {
    ECONNREFUSED: `nothing listens on port ${port}`,
    ENOTFOUND: `the name ${host} is not known`,
    EAI_AGAIN: `the name ${host} could not be looked up`,
    EHOSTUNREACH: 'there is no route to it',
    ENETUNREACH: 'there is no route to it',
    ETIMEDOUT: 'no answer',
  }
  if (error.code === 'ECONNRESET' || /lost before handshake/.test(error.message))
    return new TurnedAway(error.message, { cause: error })
  const text = words[error.code ?? ''] ?? (error.message || error.errors?.[0]?.message || 'cannot connect')
  return unreachable(name, text, error)
}
