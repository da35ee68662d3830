import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Client, ClientChannel, ConnectConfig } from 'ssh2'
import SftpClient from 'ssh2-sftp-client'
import { TransportError } from '../core/errors.ts'
import { type Channel, ChannelRefused, type Connection, createLifeline } from './connection.ts'
import { connectionClosed } from './failures.ts'
import { joinOwnTerminal, ownTerminalSize } from './own-terminal.ts'
import { signalNumbers } from './signals.ts'
import type { LoginAttempts } from './ssh-auth.ts'
import { openBulkSession } from './ssh-bulk.ts'
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
  const lifeline = createLifeline()
  const { guard, lose, onLost } = lifeline
  let reason: unknown

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

  const keepalive = startKeepalive(client, socket, options.keepaliveMs, () => {
    lose(connectionLost(name, new Error('the server stopped answering')))
    socket.destroy()
  })

  onLost(() => clearInterval(keepalive))

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
    openBulk: (onTrip) => openBulkSession({ sftpClient, lifeline }, onTrip),
    onLost,
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
    signal: (name) => channel.signal(name),
    close: () => channel.close(),
    onClosed: (listener) => void channel.once('close', () => listener(exitCode)),
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
