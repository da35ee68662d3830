import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, realpathSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { cacheFolder } from '../config/cache-folder.ts'
import type { Environment, Profile } from '../core/profile.ts'
import type { ResolvedResources } from '../core/resources.ts'

/** The oldest Node that farcall runs on, and what a place has that nothing is known of. */
export const oldestNode = 16

/** Seen longer ago than this, a version says nothing any more: nodes are updated. */
const rememberedMs = 30 * 24 * 3600 * 1000
/** Seen again within this, it is not written down anew. */
const noteAgainMs = 24 * 3600 * 1000

/** What decides which machines a job may come to, and which Node they start. */
export interface NodePlace {
  readonly profile: Profile
  readonly resources: ResolvedResources
  readonly environment: Environment
}

/** What this process knows of itself; an argument, for tests. */
export interface Here {
  /** Folder of farcall's cache. */
  readonly cacheDir: string
  readonly now: number
  readonly env: NodeJS.ProcessEnv
  /** The Node of this process: its program and its version. */
  readonly execPath: string
  readonly version: string
}

/** This process. */
export const here = (): Here => ({
  cacheDir: cacheFolder(process.env, homedir()),
  now: Date.now(),
  env: process.env,
  execPath: process.execPath,
  version: process.version,
})

/**
 * Major version of the Node that a bundle for this place is compiled for: the one that will run it, where that is
 * this very program; else the oldest that jobs ran on there lately; else the oldest of all.
 */
export function nodeAt(place: NodePlace, here: Here): number {
  const known = nodeHere(place, here) ?? Math.min(...seen(place, here))
  return Number.isFinite(known) ? Math.max(oldestNode, known) : oldestNode
}

/** On this machine, without a scheduler and with nothing set up before, the job's shell finds what this process finds. */
function nodeHere({ profile, environment }: NodePlace, here: Here): number | undefined {
  const { node = 'auto', variables = {}, ...more } = environment
  const direct = profile.scheduler === 'direct' && profile.host === undefined
  const plain = Object.values(more).every((value) => Array.isArray(value) && value.length === 0)
  if (!direct || profile.template !== undefined || !plain) return undefined
  if ('PATH' in variables) return undefined
  const paths =
    node === 'auto' ? (here.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'node')) : [node]
  const found = paths.map(realPath).find((path) => path !== undefined)
  return found !== undefined && found === realPath(here.execPath) ? majorOf(here.version) : undefined
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined // there is none
  }
}

/** A job of this place ran on this version. */
export function noteNode(place: NodePlace, version: string, here: Here): void {
  const major = majorOf(version)
  if (major === undefined) return
  const folder = folderOf(place, here)
  const path = join(folder, String(major))
  const last = lastSeen(path)
  if (last !== undefined && here.now - last < noteAgainMs) return
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    // a file for each version: processes that note different ones at once lose none
    writeFileSync(path, '')
    utimesSync(path, here.now / 1000, here.now / 1000)
  } catch {
    // a cache that cannot be written costs time, not the call: the next bundle is for the oldest Node again
  }
}

function seen(place: NodePlace, here: Here): number[] {
  const folder = folderOf(place, here)
  return namesIn(folder)
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => here.now - (lastSeen(join(folder, name)) ?? 0) < rememberedMs)
    .map(Number)
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // nothing is known yet
  }
}

function lastSeen(path: string): number | undefined {
  try {
    return statSync(path).mtimeMs
  } catch {
    return undefined
  }
}

/** Only a hash of it is kept: an environment may hold secrets. */
function folderOf({ profile, resources, environment }: NodePlace, { cacheDir, env }: Here): string {
  const { host, port, user, scheduler, template } = profile
  const { partition, constraint, reservation, nodelist, gpus, native } = resources
  const machines = [host, port, user, scheduler, template]
  const asked = [partition, constraint, reservation, nodelist, gpus, native]
  const own = host === undefined ? env['PATH'] : undefined
  const hash = createHash('sha256').update(JSON.stringify([machines, asked, sorted(environment), own]))
  return join(cacheDir, 'nodes', hash.digest('hex').slice(0, 32))
}

function sorted({ variables = {}, ...rest }: Environment): unknown {
  const entries = Object.entries({ ...rest, variables: Object.entries(variables).sort() })
  return entries.sort(([a], [b]) => (a < b ? -1 : 1))
}

function majorOf(version: string): number | undefined {
  const major = /^v?(\d+)\./.exec(version)?.[1]
  return major === undefined ? undefined : Number(major)
}
