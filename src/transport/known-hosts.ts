import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { matchesAny } from './wildcards.ts'

/** One usable line of a known_hosts file. */
export interface KnownHost {
  readonly marker?: 'revoked' | 'cert-authority'
  /** The first field as written: patterns with commas, or one hashed name. */
  readonly hosts: string
  readonly keyType: string
  readonly key: Buffer
  readonly file: string
  /** From 1. */
  readonly line: number
}

export type HostKeyVerdict =
  | { readonly status: 'known' }
  | { readonly status: 'revoked'; readonly entry: KnownHost }
  /** The host is known, by other keys: of this type, or only of other types. */
  | { readonly status: 'changed'; readonly entries: readonly KnownHost[] }
  /** Only a host certificate could answer for it. */
  | { readonly status: 'certificate'; readonly entry: KnownHost }
  | { readonly status: 'unknown' }

/** Reads a known_hosts file. Lines that OpenSSH skips are skipped: comments, SSH-1 keys, broken ones. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  const found: KnownHost[] = []
  text.split('\n').forEach((raw, index) => {
    const words = raw.trim().split(/[ \t]+/)
    const marker = words[0]?.startsWith('@') ? words.shift()?.slice(1) : undefined
    if (marker !== undefined && marker !== 'revoked' && marker !== 'cert-authority') return
    const [hosts, keyType, base64] = words
    if (!hosts || hosts.startsWith('#') || !keyType || !base64) return
    const key = Buffer.from(base64, 'base64')
    // the key's own bytes name its type; a line where the two differ is broken
    if (typeOfKey(key) !== keyType) return
    found.push({ ...(marker && { marker }), hosts, keyType, key, file, line: index + 1 })
  })
  return found
}

/** The type that a key blob names, such as 'ssh-ed25519'. Undefined: not a key. */
export function typeOfKey(key: Uint8Array): string | undefined {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength)
  if (bytes.length < 5) return undefined
  const length = bytes.readUInt32BE(0)
  if (length === 0 || length > 64 || bytes.length < 4 + length) return undefined
  const type = bytes.toString('latin1', 4, 4 + length)
  return /^[\x21-\x7e]+$/.test(type) ? type : undefined
}

/** As OpenSSH prints it: SHA256:… */
export function fingerprint(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/** The name that known_hosts uses: plain for port 22, '[host]:port' otherwise. */
export function knownHostName(host: string, port: number): string {
  const name = host.toLowerCase()
  return port === 22 ? name : `[${name}]:${port}`
}

/** What the entries say about this key of this host. */
export function checkHostKey(
  entries: readonly KnownHost[],
  host: string,
  port: number,
  key: Uint8Array,
): HostKeyVerdict {
  const same = (entry: KnownHost) => entry.key.equals(key)
  const matching = matchingEntries(entries, host, port)
  const plainPort = port === 22 ? [] : entries.filter((entry) => matches(entry.hosts, host.toLowerCase()))
  const revoked = [...matching, ...plainPort].find((entry) => entry.marker === 'revoked' && same(entry))
  if (revoked) return { status: 'revoked', entry: revoked }
  const own = matching.filter((entry) => entry.marker === undefined)
  if (own.some(same)) return { status: 'known' }
  if (own.length > 0) return { status: 'changed', entries: own }
  // as OpenSSH does: a key known under the bare name answers for another port too, but accuses nobody
  if (plainPort.some((entry) => entry.marker === undefined && same(entry))) return { status: 'known' }
  const authority = matching.find((entry) => entry.marker === 'cert-authority')
  return authority ? { status: 'certificate', entry: authority } : { status: 'unknown' }
}

/** Key types by which the host is known, to be offered first: a host known by RSA must not look changed. */
export function knownKeyTypes(entries: readonly KnownHost[], host: string, port: number): string[] {
  const usable = (entry: KnownHost) => entry.marker === undefined
  const named = matchingEntries(entries, host, port).filter(usable)
  const found = named.length > 0 ? named : matchingEntries(entries, host, 22).filter(usable)
  return [...new Set(found.map((entry) => entry.keyType))]
}

/** The line to add for a host that is accepted for the first time. */
export function knownHostLine(host: string, port: number, key: Uint8Array): string {
  return `${knownHostName(host, port)} ${typeOfKey(key)} ${Buffer.from(key).toString('base64')}\n`
}

function matchingEntries(entries: readonly KnownHost[], host: string, port: number): KnownHost[] {
  const name = knownHostName(host, port)
  return entries.filter((entry) => matches(entry.hosts, name))
}

function matches(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) return matchesHashed(hosts, name)
  return matchesAny(hosts.toLowerCase().split(','), name)
}

function matchesHashed(hosts: string, name: string): boolean {
  const [, version, salt, hash] = hosts.split('|')
  if (version !== '1' || !salt || !hash) return false
  const expected = Buffer.from(hash, 'base64')
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest()
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}
