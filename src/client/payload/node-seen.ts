import { createHash } from 'node:crypto'
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { cacheFolder } from '../../config/cache-folder.ts'
import type { InterpreterFacts, InterpreterSource } from '../../core/interpreter.ts'
import { isWanted, oldestNode, parseNodeSetting } from '../../core/node-setting.ts'
import type { ContainedEnvironment, Environment, Profile } from '../../core/profile.ts'
import type { MemberEnd } from '../../core/protocol.ts'
import type { ResolvedResources } from '../../core/resources.ts'

export { oldestNode } from '../../core/node-setting.ts'

/** Seen longer ago than this, a version says nothing any more: nodes are updated. */
const rememberedMs = 30 * 24 * 3600 * 1000
/** Seen again within this, it is not written down anew. */
const noteAgainMs = 24 * 3600 * 1000

/** What decides which machines a job may come to, and which Node they start. */
export interface NodePlace {
  readonly profile: Profile
  readonly resources: ResolvedResources
  readonly environment: ContainedEnvironment
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
  const majors = nodesAt(place, here).map(({ version }) => majorOf(version) ?? oldestNode)
  const known = nodeHere(place, here) ?? Math.min(...majors)
  return Math.max(oldestNode, Number.isFinite(known) ? known : leastAsked(place))
}

/** environment.node: '20' runs on nothing older. */
function leastAsked({ environment }: NodePlace): number {
  const setting = parseNodeSetting(environment.node ?? 'auto')
  return setting?.kind === 'version'
    ? Number.parseInt(setting.versions.prefix || setting.versions.least, 10)
    : oldestNode
}

/** Whether jobs of the place run on this machine, with the Node of this process. */
export function isThisProgram(place: NodePlace, here: Here): boolean {
  return nodeHere(place, here) !== undefined
}

/** On this machine, without a scheduler and with nothing set up before, the job's shell finds what this process finds. */
function nodeHere({ profile, environment }: NodePlace, here: Here): number | undefined {
  const { node = 'auto', variables = {}, packages: _, ...more } = environment
  const direct = profile.scheduler === 'direct' && profile.host === undefined
  const plain = Object.values(more).every((value) => Array.isArray(value) && value.length === 0)
  if (!direct || profile.template !== undefined || !plain) return undefined
  if ('PATH' in variables) return undefined
  const setting = parseNodeSetting(node)
  if (!setting || setting.kind === 'module') return undefined
  const onPath = () => (here.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'node'))
  const paths = setting.kind === 'path' ? [setting.path] : onPath()
  if (setting.kind === 'version' && !isWanted(here.version.replace(/^v/, ''), setting.versions))
    return undefined
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

/** What was seen of a Node at a place: its version, and what is known of the machine it ran on. */
export interface SeenNode extends InterpreterFacts {
  /** 'v20.11.1' */
  readonly version: string
}

/** What was noted in this process, by file: a map's members all tell the same. */
const noted = new Map<string, { text: string; time: number }>()

/** A job of this place ran on this version. */
export function noteNode(
  place: NodePlace,
  { node, interpreter }: Pick<MemberEnd, 'node' | 'interpreter'>,
  here: Here,
): void {
  const major = node === undefined ? undefined : majorOf(node)
  if (major === undefined) return
  const folder = folderOf(place, here)
  const [kind = 'path'] = (interpreter?.from ?? 'path').split(':')
  // A file for each version and way to it: processes that note different ones at once lose none.
  const path = join(folder, kind === 'path' ? String(major) : `${major}-${kind}`)
  const text = JSON.stringify({ version: node, ...interpreter })
  const before = noted.get(path)
  if (before?.text === text && here.now - before.time < noteAgainMs && lastSeen(path) !== undefined) return
  noted.set(path, { text, time: here.now })
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const temporary = `${path}.${process.pid}`
    writeFileSync(temporary, text, { mode: 0o600 })
    utimesSync(temporary, here.now / 1000, here.now / 1000)
    renameSync(temporary, path)
  } catch {
    // a cache that cannot be written costs time, not the call: the next bundle is for the oldest Node again
  }
}

/** The Nodes that jobs of this place ran on lately, the last one first: version, ABI, and the platform with its libc. */
export function nodesAt(place: NodePlace, here: Here): SeenNode[] {
  const folder = folderOf(place, here)
  return namesIn(folder)
    .filter((name) => /^\d+(-[a-z]+)?$/.test(name))
    .map((name) => ({ name, time: lastSeen(join(folder, name)) ?? 0 }))
    .filter(({ time }) => here.now - time < rememberedMs)
    .sort((a, b) => b.time - a.time)
    .map(({ name }) => ({ version: `v${Number.parseInt(name, 10)}.0.0`, ...readNote(join(folder, name)) }))
}

function readNote(path: string): Partial<SeenNode> {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as SeenNode
  } catch {
    return {} // of an older farcall, or just gone: its name tells the major version
  }
}

/** How the last job of this place came to its Node; one that found it on PATH says little of the other machines there. */
export function interpreterAt(place: NodePlace, here: Here): InterpreterSource | undefined {
  const seen = nodesAt(place, here)
  const last = seen.find(({ from = 'path' }) => from !== 'path') ?? seen[0]
  if (!last) return undefined
  const { from = 'path', platform } = last
  if (from.startsWith('module:')) return { from: 'module', module: from.slice('module:'.length) }
  return from === 'runtime' && platform ? { from: 'runtime', platform } : { from: 'path' }
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
