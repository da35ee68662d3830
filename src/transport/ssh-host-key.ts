import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ConnectConfig } from 'ssh2'
import { TransportError } from '../core/errors.ts'
import {
  checkHostKey,
  fingerprint,
  type KnownHost,
  knownHostLine,
  knownHostName,
  knownKeyTypes,
  parseKnownHosts,
  typeOfKey,
} from './known-hosts.ts'

export interface HostKeyCheck {
  /** Synchronous, as ssh2 asks. False leaves the reason in `failure`. */
  verify(key: Buffer): boolean
  readonly failure: TransportError | undefined
  readonly algorithms: NonNullable<ConnectConfig['algorithms']>
}

export interface HostKeyOptions {
  host: string
  port: number
  /** The name in known_hosts instead of host and port. */
  alias?: string | undefined
  policy: 'strict' | 'accept-new'
  /** The files that are asked. A key accepted is added to the first one. */
  files: readonly string[]
}

/** In ssh2's order, by the type of the key that they are made with. */
const algorithmsOf: Readonly<Record<string, readonly string[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'],
}

export function createHostKeyCheck(options: HostKeyOptions): HostKeyCheck {
  const { files } = options
  const [host, port] = options.alias === undefined ? [options.host, options.port] : [options.alias, 22]
  const entries = files.flatMap((file) => parseKnownHosts(readIfThere(file), file))
  const first = knownKeyTypes(entries, host, port).filter((type) => type in algorithmsOf)
  const order = new Set([...first, ...Object.keys(algorithmsOf)].flatMap((type) => algorithmsOf[type] ?? []))
  let failure: TransportError | undefined
  return {
    algorithms: { serverHostKey: [...order] as never },
    get failure() {
      return failure
    },
    verify(key) {
      const verdict = checkHostKey(entries, host, port, key)
      if (verdict.status === 'known') return true
      const shown = `${typeOfKey(key)} ${fingerprint(key)}`
      const name = knownHostName(host, port)
      const target = files[0] ?? ''
      switch (verdict.status) {
        case 'revoked':
          failure = new TransportError('HOST_KEY_REVOKED', `${name} shows a revoked key: ${shown}`, {
            hint: `${place(verdict.entry)} revokes it; ask the cluster's administrators, do not connect`,
          })
          return false
        case 'changed': {
          const known = verdict.entries.map(
            (entry) => `${entry.keyType} ${fingerprint(entry.key)} (${place(entry)})`,
          )
          failure = new TransportError(
            'HOST_KEY_CHANGED',
            `${name} shows ${shown}, but is known by ${known.join(', ')}`,
            {
              hint: `someone may listen in; if the administrators confirm the new key: ssh-keygen -f ${verdict.entries[0]?.file} -R '${name}'`,
            },
          )
          return false
        }
        case 'certificate':
          failure = new TransportError('HOST_KEY_UNKNOWN', `${name} is known by a host certificate only`, {
            hint: `transport: 'openssh' checks it by ${place(verdict.entry)}; or add the host's own key, ${shown}, once checked`,
          })
          return false
        case 'unknown':
          if (options.policy === 'accept-new') {
            appendKnownHost(target, knownHostLine(host, port, key))
            return true
          }
          failure = new TransportError('HOST_KEY_UNKNOWN', `${name} is not in ${target}; it shows ${shown}`, {
            cause: new UnknownHostKey(name, shown, target, knownHostLine(host, port, key)),
            hint: `compare it with what the cluster publishes, then connect once with \`ssh -p ${options.port} ${options.host}\`, or set hostKey: 'accept-new'`,
          })
          return false
      }
    },
  }
}

/** The cause of HOST_KEY_UNKNOWN: what a person may look at, and have recorded. */
export class UnknownHostKey extends Error {
  /** As known_hosts has it. */
  readonly host: string
  /** 'ssh-ed25519 SHA256:…' */
  readonly shown: string
  readonly #file: string
  readonly #line: string

  constructor(host: string, shown: string, file: string, line: string) {
    super(`${host} shows ${shown}`)
    this.host = host
    this.shown = shown
    this.#file = file
    this.#line = line
  }

  /** From now on the host is known by this very key. Gives the file. */
  record(): string {
    appendKnownHost(this.#file, this.#line)
    return this.#file
  }
}

function place(entry: KnownHost): string {
  return `${entry.file}:${entry.line}`
}

/** One appending write is whole among writers, which a rewrite of the file would not be. */
function appendKnownHost(file: string, line: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const before = readIfThere(file)
  const separator = before === '' || before.endsWith('\n') ? '' : '\n'
  writeFileSync(file, separator + line, { flag: 'a', mode: 0o600 })
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new TransportError('HOST_KEY_UNKNOWN', `${file} cannot be read: ${(error as Error).message}`, {
      hint: 'without it the host cannot be told from another; check the permissions',
      cause: error,
    })
  }
}
