import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { version } from '../../core/version.ts'
import type { Provenance } from '../../store/types.ts'

const run = promisify(execFile)
const lockfiles = ['package-lock.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock', 'npm-shrinkwrap.json']

type Origin = Pick<Provenance, 'git' | 'lockfile'>

/** By folder: what is found, once it is; a process asks once. */
const known = new Map<string, { promise: Promise<Origin>; found?: Origin }>()

/**
 * What a job of a function in this folder can be traced back to. `later` gives what git and the lockfile say when they
 * were not asked before in this process: no call waits for them.
 */
export function provenanceOf(folder: string): { now: Provenance; later: Promise<Provenance> | undefined } {
  const base: Provenance = {
    farcall: version,
    node: process.version,
    cwd: process.cwd(),
    ...(process.argv[1] === undefined ? {} : { program: process.argv[1] }),
  }
  let origin = known.get(folder)
  if (!origin) {
    const asked: { promise: Promise<Origin>; found?: Origin } = { promise: originOf(folder) }
    origin = asked
    known.set(folder, asked)
    asked.promise.then((found) => {
      asked.found = found
    })
  }
  if (origin.found) return { now: { ...base, ...origin.found }, later: undefined }
  return { now: base, later: origin.promise.then((found) => ({ ...base, ...found })) }
}

async function originOf(folder: string): Promise<Origin> {
  const [git, lockfile] = await Promise.all([gitState(folder), lockfileHash(folder)])
  return { ...(git ? { git } : {}), ...(lockfile === undefined ? {} : { lockfile }) }
}

/** Undefined without git, or outside of a repository with a commit. */
export async function gitState(folder: string): Promise<Provenance['git']> {
  const git = async (...args: string[]) => (await run('git', args, { cwd: folder, timeout: 20_000 })).stdout
  try {
    const commit = (await git('rev-parse', 'HEAD')).trim()
    // It would take the index's lock, which may be in the user's way.
    const changed = await git('--no-optional-locks', 'status', '--porcelain', '--untracked-files=no')
    return { commit, dirty: changed !== '' }
  } catch {
    return undefined
  }
}

/** sha256 of the lockfile in this folder, or in the nearest one above that has one. */
export async function lockfileHash(folder: string): Promise<string | undefined> {
  for (let at = await realpath(folder).catch(() => folder); ; at = dirname(at)) {
    for (const name of lockfiles) {
      // Not there, or not ours to read: the next one.
      const bytes = await readFile(join(at, name)).catch(() => undefined)
      if (bytes) return createHash('sha256').update(bytes).digest('hex')
    }
    if (dirname(at) === at) return undefined
  }
}
