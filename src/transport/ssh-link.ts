import { setTimeout as sleep } from 'node:timers/promises'
import { TransportError } from '../core/errors.ts'
import type { Profile } from '../core/profile.ts'
import type { Connection } from './connection.ts'
import { connectionClosed } from './failures.ts'
import { openShellChannel } from './shell-channel.ts'
import { createShellPool, type ShellPool } from './shell-pool.ts'
import { createLoginAttempts } from './ssh-auth.ts'
import { resolveTarget } from './ssh-config.ts'
import { connect, TurnedAway } from './ssh-connection.ts'
import { createHostKeyCheck } from './ssh-host-key.ts'

export interface SshSettings {
  connectTimeoutMs?: number
  keepaliveMs?: number
  /** Of [0, 1). */
  random?: () => number
}

/** Waits between tries where sshd lets nobody in for the moment (MaxStartups): each up to this, milliseconds. */
const turnedAwayMs = [500, 1_000, 2_000, 4_000]

/** A connection that stands, and its shells. */
export interface Link {
  readonly connection: Connection
  readonly pool: ShellPool
}

/** The one connection to a host: opened when first asked for, and again after it was lost. */
export interface Links {
  /** For messages. */
  readonly name: string
  readonly current: Link | undefined
  /** The link that stands, or a new one; a connection that fails is tried again by the next call. */
  get(): Promise<Link>
  /** Keeps the process alive, or does not. */
  hold(on: boolean): void
  close(): Promise<void>
}

export function createLinks(profile: Profile & { host: string }, settings: SshSettings): Links {
  // until ~/.ssh/config was asked, which the first connection does
  let name = `${profile.user ? `${profile.user}@` : ''}${profile.host}:${profile.port ?? 22}`
  let link: Promise<Link> | undefined
  let current: Link | undefined
  let disposed = false
  let held = false

  const apply = () => {
    if (held) current?.connection.ref()
    else current?.connection.unref()
  }

  /** A busy login node closes new connections at random; the next one may get in. */
  const insist = async (connecting: () => Promise<Connection>): Promise<Connection> => {
    for (let tries = 0; ; tries++) {
      try {
        return await connecting()
      } catch (error) {
        if (!(error instanceof TurnedAway)) throw error
        const waitMs = turnedAwayMs[tries]
        if (waitMs === undefined || disposed) throw turnedAway(error)
        await sleep(waitMs * (0.5 + 0.5 * (settings.random ?? Math.random)()))
      }
    }
  }
  const turnedAway = (cause: TurnedAway) =>
    new TransportError('HOST_UNREACHABLE', `${name}: the server closed the connection`, {
      hint: 'it may have too many logins just now (MaxStartups), or have banned this address for a while',
      cause,
      transient: true,
    })

  const open = async (): Promise<Link> => {
    const target = await resolveTarget(profile)
    const { host, port, user } = target
    name = `${user}@${host}:${port}`
    const policy = profile.hostKey ?? 'strict'
    const connection = await insist(() =>
      connect({
        name,
        host,
        port,
        user,
        attempts: createLoginAttempts(target, profile),
        hostKey: createHostKeyCheck({ host, port, policy, files: target.knownHosts }),
        connectTimeoutMs: settings.connectTimeoutMs ?? 20_000,
        keepaliveMs: settings.keepaliveMs ?? 15_000,
      }),
    )
    const opened = { connection, pool: createShellPool(() => openShellChannel(connection, name)) }
    current = opened
    connection.onLost(() => {
      if (current !== opened) return
      current = undefined
      link = undefined
    })
    if (disposed) await connection.close()
    apply()
    return opened
  }

  return {
    get name() {
      return name
    },
    get current() {
      return current
    },
    get() {
      if (disposed) return Promise.reject(connectionClosed(name))
      if (!link) {
        const attempt = open()
        link = attempt
        attempt.catch(() => {
          if (link === attempt) link = undefined
        })
      }
      return link
    },
    hold(on) {
      held = on
      apply()
    },
    async close() {
      if (disposed) return
      disposed = true
      const last = current
      current = undefined
      await last?.connection.close()
    },
  }
}
