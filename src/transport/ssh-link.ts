import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigError, TransportError } from '../core/errors.ts'
import type { Connection } from './connection.ts'
import { connectionClosed } from './failures.ts'
import { loginPrompt } from './prompt.ts'
import { openShellChannel } from './shell-channel.ts'
import { createShellPool, type ShellPool } from './shell-pool.ts'
import type { LoginProfile } from './ssh-config.ts'
import { type Login, type LoginContext, logIn } from './ssh-login.ts'

export interface SshSettings {
  connectTimeoutMs?: number
  keepaliveMs?: number
  /** Of [0, 1). */
  random?: () => number
}

/** A connection that stands, and its shells. */
export interface Link {
  readonly connection: Connection
  readonly pool: ShellPool
}

/** The one connection of this process to a host: opened when first asked for, and again after it was lost. */
export interface Links {
  /** For messages. */
  readonly name: string
  readonly current: Link | undefined
  /** The link that stands, or a new one; a connection that fails is tried again by the next call. */
  get(): Promise<Link>
  /** Keeps the process alive, or does not. */
  hold(on: boolean): void
  /** Lets go of it; it is closed when nobody else uses it. Gives whether it was. */
  close(): Promise<boolean>
}

/** How a login is made: by ssh2, or by the system's ssh. */
export type LogIn = (profile: LoginProfile, context: LoginContext) => Promise<Login>

const shared = new Map<string, SharedLink>()

/**
 * A user's part of the connection to a host. All who log in the same way share one: a person is asked once, and the server
 * sees one connection with a bounded number of sessions.
 */
export function createLinks(profile: LoginProfile, settings: SshSettings, how: LogIn): Links {
  return use(profile, settings, how, [])
}

function use(profile: LoginProfile, settings: SshSettings, how: LogIn, trail: readonly string[]): Links {
  const key = keyOf(profile, settings, how)
  if (trail.includes(key))
    throw new ConfigError('CONFIG_INVALID', `the way to ${profile.host} leads over ${profile.host}`, {
      hint: 'correct ProxyJump in ~/.ssh/config or proxyJump in the profile',
    })
  let link = shared.get(key)
  if (!link) {
    link = new SharedLink(profile, settings, how, [...trail, key], () => shared.delete(key))
    shared.set(key, link)
  }
  return link.join()
}

const ids = new WeakMap<object, number>()
let lastId = 0
const idOf = (thing: object): number => {
  const id = ids.get(thing) ?? ++lastId
  ids.set(thing, id)
  return id
}

/** What decides whose login it is, with the secrets as they are now. */
function keyOf(profile: LoginProfile, settings: SshSettings, how: LogIn): string {
  const { host, port, user, identityFile, knownHosts, hostKey, proxyJump, sshConfig } = profile
  const secrets = [profile.password, profile.passphrase].map((secret) => secret && process.env[secret.env])
  const text = JSON.stringify([
    [host, port, user, identityFile, knownHosts, hostKey, proxyJump, sshConfig],
    [profile.password, profile.passphrase, secrets, process.env.SSH_AUTH_SOCK],
    Object.keys(settings).length > 0 ? idOf(settings) : 0,
    idOf(how),
  ])
  return createHash('sha256').update(text).digest('hex')
}

/** The first wait after a failure, which doubles up to the longest; milliseconds. */
const firstWaitMs = 500
const longestWaitMs = 30_000
/** A connection that stood so long had no fault of its own. */
const steadyMs = 60_000

class SharedLink {
  readonly #profile: LoginProfile
  readonly #settings: SshSettings
  readonly #how: LogIn
  readonly #trail: readonly string[]
  readonly #forget: () => void
  readonly #users = new Set<{ holds: boolean }>()
  readonly #stop = new AbortController()
  #name: string
  #link: Promise<Link> | undefined
  #current: Link | undefined
  /** Failures and short-lived connections one after the other. */
  #failures = 0
  #failedAt = 0
  /** A person was asked once; from then on nobody is asked out of the blue. */
  #personal = false
  #lastTrouble: Error | undefined

  constructor(
    profile: LoginProfile,
    settings: SshSettings,
    how: LogIn,
    trail: readonly string[],
    forget: () => void,
  ) {
    this.#profile = profile
    this.#settings = settings
    this.#how = how
    this.#trail = trail
    this.#forget = forget
    // until ~/.ssh/config was asked, which the first connection does
    const { user, host, port } = profile
    this.#name = `${user ? `${user}@` : ''}${host}:${port ?? 22}`
  }

  join(): Links {
    const user = { holds: false }
    this.#users.add(user)
    const link = this
    return {
      get name() {
        return link.#name
      },
      get current() {
        return link.#users.has(user) ? link.#current : undefined
      },
      get: () => (this.#users.has(user) ? this.#get() : Promise.reject(connectionClosed(this.#name))),
      hold: (on) => {
        user.holds = on
        this.#apply()
      },
      close: async () => {
        if (!this.#users.delete(user)) return false
        this.#apply()
        if (this.#users.size > 0) return false
        await this.#close()
        return true
      },
    }
  }

  async #get(): Promise<Link> {
    const link = await this.#standing()
    await link.connection.verify?.()
    return link.connection.lost ? this.#standing() : link
  }

  #standing(): Promise<Link> {
    if (!this.#link) {
      const attempt = this.#open()
      this.#link = attempt
      attempt.catch((error) => {
        if (this.#link === attempt) this.#link = undefined
        this.#failed(error)
      })
    }
    return this.#link
  }

  async #open(): Promise<Link> {
    await this.#patience()
    if (this.#personal) await this.#askFirst()
    const context: LoginContext = {
      settings: this.#settings,
      signal: this.#stop.signal,
      onName: (name) => {
        this.#name = name
      },
      hop: (profile) => use(profile, {}, logIn, this.#trail),
    }
    const { connection, asked } = await this.#how(this.#profile, context)
    this.#personal ||= asked
    const opened: Link = {
      connection,
      pool: createShellPool(() => openShellChannel(connection, this.#name)),
    }
    const since = Date.now()
    this.#current = opened
    connection.onLost((error) => {
      if (this.#current !== opened) return
      this.#current = undefined
      this.#link = undefined
      if (Date.now() - since > steadyMs) this.#failures = 0
      this.#failed(error)
    })
    if (this.#stop.signal.aborted) await connection.close()
    this.#apply()
    return opened
  }

  #failed(error: Error): void {
    this.#lastTrouble = error
    this.#failures++
    this.#failedAt = Date.now()
    if (error instanceof TransportError && error.code === 'LOGIN_INTERACTIVE') this.#personal = true
  }

  /** The first try after a failure is at once; each later one waits twice as long as the one before, more or less. */
  async #patience(): Promise<void> {
    if (this.#failures < 2) return
    const most = Math.min(longestWaitMs, firstWaitMs * 2 ** (this.#failures - 2))
    const waitMs =
      most * (0.5 + 0.5 * (this.#settings.random ?? Math.random)()) - (Date.now() - this.#failedAt)
    if (waitMs > 0)
      await sleep(waitMs, undefined, { signal: this.#stop.signal, ref: this.#isHeld }).catch(() => {})
    if (this.#stop.signal.aborted) throw connectionClosed(this.#name)
  }

  /** Who logged in by a code is not asked for another until he is there, and knows why. */
  async #askFirst(): Promise<void> {
    const prompt = loginPrompt()
    const why = this.#lastTrouble?.message.split('\n')[0] ?? `${this.#name}: the connection was closed`
    if (!prompt)
      throw new TransportError('LOGIN_INTERACTIVE', `${why}; logging in again needs a person`, {
        hint: 'start the program again in a terminal; jobs go on, attach(id) follows them',
        cause: this.#lastTrouble,
      })
    const question = {
      target: this.#name,
      instructions: `${why}\nJobs go on without it.`,
      prompts: [{ text: 'Press Enter to log in again: ', echo: true }],
    }
    await prompt(question, this.#stop.signal).catch((cause) => {
      if (this.#stop.signal.aborted) throw connectionClosed(this.#name)
      throw new TransportError('LOGIN_INTERACTIVE', `${why}; nobody logged in again`, {
        hint: 'start the program again in a terminal; jobs go on, attach(id) follows them',
        cause,
      })
    })
  }

  get #isHeld(): boolean {
    return [...this.#users].some((user) => user.holds)
  }

  #apply(): void {
    if (this.#isHeld) this.#current?.connection.ref()
    else this.#current?.connection.unref()
  }

  async #close(): Promise<void> {
    this.#forget()
    const last = this.#current
    this.#current = undefined
    this.#stop.abort()
    await last?.connection.close()
  }
}
