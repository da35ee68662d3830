import { createHash } from 'node:crypto'
import { renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { needsOf, type Platform } from '../archive/needs.ts'
import { type ArchiveEntry, writeArchive } from '../archive/write.ts'
import { blobName, type PackagesRef } from '../core/protocol.ts'
import { archiveFolder, recall, remember } from './cache.ts'
import { closureOf, type Wanted } from './installed.ts'
import { layOut } from './layout.ts'

/** Of another layout or format are other archives. */
const version = 'farcall-packages-1'

const making = new Map<string, Promise<PackagesRef>>()

/** An archive of the packages as they are installed here, for machines that are like this one. */
export function fromInstalled(
  wanted: readonly Wanted[],
  here: Platform,
  cacheDir: string,
): Promise<PackagesRef> {
  const closure = closureOf(wanted)
  const entries = layOut(closure)
  const names = [...closure.roots.values()].map(({ name, version }) => `${name}@${version}`).sort()
  const key = keyOf(entries, here)
  const known = making.get(key)
  if (known) return known
  const made = makeArchive(key, entries, names, here, cacheDir)
  making.set(key, made)
  made.catch(() => {}).finally(() => making.delete(key))
  return made
}

async function makeArchive(
  key: string,
  entries: readonly ArchiveEntry[],
  names: readonly string[],
  here: Platform,
  cacheDir: string,
): Promise<PackagesRef> {
  const before = recall(cacheDir, key)
  if (before) return before
  const folder = archiveFolder(cacheDir)
  const made = join(folder, `${key}.${process.pid}.tar.gz`)
  const archive = { ...(await writeArchive(made, entries)), ext: 'tgz' }
  renameSync(made, join(folder, blobName(archive)))
  const ref = { archive, needs: needsOf(entries, here), names }
  remember(cacheDir, key, ref)
  return ref
}

/** By sizes and times: what was patched or compiled anew is another archive. */
function keyOf(entries: readonly ArchiveEntry[], here: Platform): string {
  const hash = createHash('sha256').update(JSON.stringify([version, here]))
  for (const { path, source, target = '', executable = false } of entries) {
    const { size, mtimeMs } = source === undefined ? { size: 0, mtimeMs: 0 } : statSync(source)
    hash.update(JSON.stringify([path, source, target, executable, size, mtimeMs]))
  }
  return hash.digest('hex')
}
