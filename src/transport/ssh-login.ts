import { setTimeout as sleep } from 'node:timers/promises'
import { TransportError } from '../core/errors.ts'
import type { Connection } from './connection.ts'
import { connectionClosed } from './failures.ts'
import { createLoginAttempts } from './ssh-auth.ts'
import { type LoginProfile, resolveTarget, type SshTarget } from './ssh-config.ts'
import { connect, TurnedAway, unreachable } from './ssh-connection.ts'
import { createHostKeyCheck } from './ssh-host-key.ts'
import type { Links, SshSettings } from './ssh-link.ts'
import { commandRoute, directRoute, jumpRoute, type Route } from './ssh-route.ts'

/** Waits between tries where sshd lets nobody in for the moment (MaxStartups): each up to this, milliseconds. */
const turnedAwayMs = [500, 1_000, 2_000, 4_000]

const keepalive = { everyMs: 15_000, count: 3 }

export interface Login {
  readonly name: string
  readonly connection: Connection
  /** A person was asked for it. */
  readonly asked: boolean
}

export interface LoginContext {
  readonly settings: SshSettings
  /** Called as soon as it is known who logs in where. */
  onName(name: string): void
  /** A connection to a host on the way; released when this one is. */
  hop(profile: LoginProfile): Links
  /** Aborts when nobody wants it any more. */
  readonly signal: AbortSignal
}

/** Goes the whole way to a host and logs in there. @throws TransportError, ConfigError */
export async function logIn(profile: LoginProfile, context: LoginContext): Promise<Login> {
  const { settings, signal } = context
  const target = await resolveTarget(profile)
  const { host, port, user } = target
  const name = `${user}@${host}:${port}`
  context.onName(name)
  const hop = target.way && 'jump' in target.way ? context.hop(target.way.jump) : undefined
  // until the connection that goes over it says whether it is needed
  hop?.hold(true)
  const giveUp = new AbortController()
  const fail = (error: unknown) => giveUp.abort(error)
  const onAbort = () => fail(connectionClosed(name))
  signal.addEventListener('abort', onAbort)
  try {
    const { hostKeyAlias: alias, hostKey: policy, knownHosts: files } = target
    return await insist(name, context, async () => {
      // each try asks for itself: a key file or a variable may have come meanwhile
      const attempts = createLoginAttempts(target, profile, { name, signal: giveUp.signal, fail })
      const connection = await connect({
        name,
        target,
        attempts,
        hostKey: createHostKeyCheck({ host, port, alias, policy, files }),
        route: await routeTo(target, name, hop),
        connectTimeoutMs: settings.connectTimeoutMs ?? target.connectTimeoutMs ?? 20_000,
        keepalive: settings.keepaliveMs
          ? { everyMs: settings.keepaliveMs, count: 3 }
          : (target.keepalive ?? keepalive),
        signal: giveUp.signal,
      })
      // the way there is given back with the connection
      connection.onLost(() => void hop?.close())
      return { name, connection, asked: attempts.asked }
    })
  } catch (error) {
    // what is still asked is asked in vain
    fail(error)
    await hop?.close()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function routeTo({ host, port, way }: SshTarget, name: string, hop: Links | undefined): Promise<Route> {
  if (way && 'command' in way) return commandRoute(way.command)
  if (!hop) return directRoute(host, port)
  const { connection } = await hop.get()
  try {
    return jumpRoute(await connection.dial(host, port), (on) => hop.hold(on))
  } catch (error) {
    if (error instanceof TransportError) throw error
    throw unreachable(name, `${hop.name} does not reach it: ${(error as Error).message}`, error)
  }
}

/** A busy login node closes new connections at random; the next one may get in. */
export async function insist<T>(
  name: string,
  { settings, signal }: Pick<LoginContext, 'settings' | 'signal'>,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof TurnedAway)) throw error
      const waitMs = turnedAwayMs[tries]
      if (waitMs === undefined || signal.aborted) throw turnedAway(name, error)
      await sleep(waitMs * (0.5 + 0.5 * (settings.random ?? Math.random)()))
    }
  }
}

function turnedAway(name: string, cause: TurnedAway): TransportError {
  return new TransportError('HOST_UNREACHABLE', `${name}: the server closed the connection`, {
    hint: 'it may have too many logins just now (MaxStartups), or have banned this address for a while',
    cause,
    transient: true,
  })
}
