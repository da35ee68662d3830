import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../core/clock.ts'
import { type Profile, unnamedScheduler } from '../../core/profile.ts'
import { detectSchedulers, theOnly } from '../../executor/detect.ts'
import { findScheduler } from '../../scheduler/all.ts'
import { openTransport } from '../../transport/open.ts'

export interface FoundScheduler {
  readonly scheduler: string
  /** Milliseconds since the epoch. */
  readonly time: number
}

type Place = Pick<Profile, 'host' | 'port' | 'user' | 'sshConfig' | 'proxyJump'>

/** A site moves to another scheduler seldom; after this it is asked again. */
const goodForMs = 30 * 86_400_000

const keyOf = ({ host, port, user, sshConfig, proxyJump }: Place) =>
  JSON.stringify([host, port, user, sshConfig, proxyJump].map((part) => part ?? null))
const fileIn = (storeDir: string) => join(storeDir, 'schedulers.json')

function read(storeDir: string): Record<string, FoundScheduler> {
  try {
    const known: unknown = JSON.parse(readFileSync(fileIn(storeDir), 'utf8'))
    return typeof known === 'object' && known !== null ? (known as Record<string, FoundScheduler>) : {}
  } catch {
    return {} // not there yet, or damaged: it is found out again
  }
}

/** What was found out of a place before, while that is good. */
export function knownScheduler(
  storeDir: string,
  place: Place,
  now = systemClock.now(),
): FoundScheduler | undefined {
  const known = read(storeDir)[keyOf(place)]
  if (typeof known?.scheduler !== 'string' || typeof known.time !== 'number') return undefined
  if (now - known.time >= goodForMs) return undefined
  try {
    findScheduler(known.scheduler)
    return known
  } catch {
    return undefined // of a later farcall
  }
}

export function rememberScheduler(
  storeDir: string,
  place: Place,
  scheduler: string,
  now = systemClock.now(),
): void {
  const file = fileIn(storeDir)
  const text = JSON.stringify({ ...read(storeDir), [keyOf(place)]: { scheduler, time: now } }, null, 2)
  try {
    mkdirSync(storeDir, { recursive: true, mode: 0o700 })
    writeFileSync(`${file}.${process.pid}`, `${text}\n`, { mode: 0o600 })
    renameSync(`${file}.${process.pid}`, file)
  } catch {
    // Nobody loses by it: the next program asks the place again.
  }
}

const asking = new Map<string, Promise<string>>()

/**
 * The profile with its scheduler: the one that it names, that was found out before, or that the place is found to have.
 * @throws ConfigError SCHEDULER_MISSING, CONFIG_INVALID; TransportError
 */
export async function withScheduler<T extends Profile>(profile: T, storeDir: string): Promise<T> {
  if (profile.scheduler !== unnamedScheduler) return profile
  const known = knownScheduler(storeDir, profile)
  if (known) return { ...profile, scheduler: known.scheduler }
  const key = JSON.stringify([storeDir, keyOf(profile)])
  const asked = asking.get(key) ?? findOut(profile, storeDir).finally(() => asking.delete(key))
  asking.set(key, asked)
  return { ...profile, scheduler: await asked }
}

async function findOut(profile: Profile, storeDir: string): Promise<string> {
  await using transport = openTransport(profile)
  const scheduler = theOnly(await detectSchedulers(transport), transport.name)
  rememberScheduler(storeDir, profile, scheduler)
  return scheduler
}
