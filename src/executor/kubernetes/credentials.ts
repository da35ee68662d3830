/** What goes along with each request, so that the server knows us. */
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { ConfigError, TransportError } from '../../core/errors.ts'
import { notStarted } from '../../transport/spawn-piped.ts'
import type { Credentials, ExecPlugin } from './kubeconfig.ts'

export interface Identity {
  /** The value of the header `authorization`. */
  readonly authorization?: string
  readonly certificate?: string
  readonly key?: string
}

interface Given extends Identity {
  /** Milliseconds since the epoch. */
  readonly until: number
}

/** A token in a file is renewed by whoever wrote it, within minutes before it ends. */
const fileMs = 60_000
/** A plugin is asked again so long before what it gave ends. */
const earlyMs = 30_000

export class IdentitySource {
  readonly #credentials: Credentials
  readonly #env: Readonly<Record<string, string | undefined>>
  #given: Given | undefined
  #asking: Promise<Given> | undefined

  constructor(credentials: Credentials, env: Readonly<Record<string, string | undefined>>) {
    this.#credentials = credentials
    this.#env = env
  }

  async get(now: number): Promise<Identity> {
    if (this.#given && now < this.#given.until) return this.#given
    this.#asking ??= this.#ask(now).finally(() => {
      this.#asking = undefined
    })
    this.#given = await this.#asking
    return this.#given
  }

  /** The server does not know it any more; whether another one may be had. */
  forget(): boolean {
    this.#given = undefined
    return this.#credentials.exec !== undefined || this.#credentials.tokenFile !== undefined
  }

  async #ask(now: number): Promise<Given> {
    const { certificate, key, token, tokenFile, basic, exec } = this.#credentials
    const pair = certificate === undefined ? {} : { certificate, key: key! }
    if (exec) return { ...pair, ...(await askPlugin(exec, this.#env)) }
    if (tokenFile) {
      const read = await readFile(tokenFile, 'utf8').catch((cause: Error) => {
        throw new ConfigError(
          'CONFIG_UNREADABLE',
          `the token file ${tokenFile} cannot be read: ${cause.message}`,
          { cause },
        )
      })
      return { ...pair, authorization: `Bearer ${read.trim()}`, until: now + fileMs }
    }
    const until = Number.POSITIVE_INFINITY
    if (token) return { ...pair, authorization: `Bearer ${token}`, until }
    if (basic) {
      const both = Buffer.from(`${basic.username}:${basic.password}`).toString('base64')
      return { ...pair, authorization: `Basic ${both}`, until }
    }
    return { ...pair, until }
  }
}

async function askPlugin(
  plugin: ExecPlugin,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Given> {
  const { command, args, apiVersion, cluster } = plugin
  const about = {
    apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(cluster ? { cluster } : {}) },
  }
  const said = await new Promise<string>((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...env, ...plugin.env, KUBERNETES_EXEC_INFO: JSON.stringify(about) } as NodeJS.ProcessEnv,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [out, err] = ['', '']
    // There are no pipes where no more files can be opened, which 'error' tells.
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text))
    child.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') return reject(notStarted(command, cause))
      const words = `there is no program ${command}, which the kubeconfig has for logging in`
      const hint = plugin.installHint?.trim()
      reject(new ConfigError('CONFIG_INVALID', words, { cause, ...(hint ? { hint } : {}) }))
    })
    child.on('close', (code, signal) => {
      if (code === 0) resolve(out)
      else
        reject(
          refused(
            command,
            `${signal ?? `exit code ${code}`}: ${err.trim().slice(-1000) || 'without a word'}`,
          ),
        )
    })
  })
  let status: Record<string, unknown> | undefined
  try {
    status = (JSON.parse(said) as { status?: Record<string, unknown> }).status
  } catch {
    // Said below, as of any other answer that is none. It may hold a secret, so it is not shown.
  }
  const { token, clientCertificateData, clientKeyData, expirationTimestamp } = status ?? {}
  if (typeof token !== 'string' && typeof clientCertificateData !== 'string')
    throw refused(command, 'it printed no ExecCredential with a token or a certificate')
  const ends = typeof expirationTimestamp === 'string' ? Date.parse(expirationTimestamp) : Number.NaN
  return {
    ...(typeof token === 'string' ? { authorization: `Bearer ${token}` } : {}),
    ...(typeof clientCertificateData === 'string'
      ? { certificate: clientCertificateData, key: String(clientKeyData) }
      : {}),
    until: Number.isNaN(ends) ? Number.POSITIVE_INFINITY : ends - earlyMs,
  }
}

function refused(command: string, why: string): TransportError {
  return new TransportError(
    'LOGIN_REFUSED',
    `the kubeconfig's program for logging in, ${command}, failed: ${why}`,
    {
      hint: 'run it by hand, or `kubectl get pods`; you may have to log in again',
    },
  )
}
