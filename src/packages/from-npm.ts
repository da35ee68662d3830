import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type BuildRequest, buildArchive } from '../archive/build.ts'
import { closureOf, type Wanted } from '../archive/installed.ts'
import type { Platform } from '../archive/needs.ts'
import type { PackagesRef } from '../core/protocol.ts'
import { archiveFolder, recall, remember } from './cache.ts'
import { findLockfile } from './lock/find.ts'
import { lockedAsInstalled } from './lock/installed.ts'
import { subsetOf } from './subset.ts'
import { archiveVersion, once, type WantedPackage } from './wanted.ts'

/**
 * What npm is to install for a machine: what the project's lockfile says, where it has the versions that are
 * installed here; else these.
 * @throws ConfigError CONFIG_UNREADABLE
 */
export function requestFor(wanted: readonly WantedPackage[], there: Platform, project: string): BuildRequest {
  const lockfile = findLockfile(project)
  const here = wanted.filter(({ folder }) => folder !== undefined) as readonly (WantedPackage & Wanted)[]
  const installed = closureOf(here.filter(({ name, version }) => !lockfile?.find(name, version)))
  const asInstalled = lockedAsInstalled()
  const roots = wanted.map(({ alias, name, version }) => {
    const found = installed.roots.get(alias)
    return { alias, name, version, to: lockfile?.find(name, version) ?? (found && asInstalled(found)) }
  })
  const { manifest, lock } = subsetOf(roots, there)
  const npmrc = readNpmrc(project)
  const key = createHash('sha256')
    .update(JSON.stringify([archiveVersion, manifest, lock, there]))
    .digest('hex')
  return {
    key,
    manifest,
    lock,
    roots: wanted.map(({ alias, name }) => ({ alias, name })),
    ...(npmrc === undefined ? {} : { npmrc }),
  }
}

/** The project's own; that of the user is npm's to find. */
function readNpmrc(project: string): string | undefined {
  for (let folder = project; ; folder = dirname(folder)) {
    const path = join(folder, '.npmrc')
    if (existsSync(path)) return readFileSync(path, 'utf8')
    if (existsSync(join(folder, 'package.json')) || dirname(folder) === folder) return undefined
  }
}

/** Installs here for a machine like `there`, without compiling anything. @throws BuildError */
export function fromNpm(request: BuildRequest, there: Platform, cacheDir: string): Promise<PackagesRef> {
  return once(request.key, async () => {
    const before = recall(cacheDir, request.key)
    if (before) return before
    const folder = archiveFolder(cacheDir)
    const place = { temporary: folder, blobs: folder, target: there, here: false }
    const made = await buildArchive(request, place)
    remember(cacheDir, request.key, made)
    return made
  })
}
