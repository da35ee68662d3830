import { createHash } from 'node:crypto'
import { renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Closure, closureOf, type Wanted } from '../archive/installed.ts'
import { layOut } from '../archive/layout.ts'
import { misfit, needsOf, type Platform } from '../archive/needs.ts'
import { type ArchiveEntry, writeArchive } from '../archive/write.ts'
import { blobName, type PackagesRef } from '../core/protocol.ts'
import { archiveFile, archiveFolder, recall, remember } from './cache.ts'
import { archiveVersion, once, type WantedPackage } from './wanted.ts'

/** An archive, or why what is installed here is of no use there. */
type Answer = PackagesRef | { readonly unfit: string }

interface Known {
  readonly answer: Answer
  readonly lookedAt: number
  /** Times of the manifests, which an installation writes. */
  readonly manifests: ReadonlyMap<string, number>
}

const known = new Map<string, Known>()
/** All files are looked at again after this; before, the manifests are. */
const looksMs = 10_000

/** An archive of the packages as they are installed here. */
export async function fromInstalled(
  wanted: readonly WantedPackage[],
  here: Platform,
  there: Platform,
  cacheDir: string,
): Promise<Answer> {
  const missing = wanted.filter(({ folder }) => folder === undefined)
  if (missing.length > 0)
    return {
      unfit: `${missing.map(({ name, version }) => `${name}@${version}`).join(', ')} is not installed`,
    }
  const question = JSON.stringify([wanted, here, there, cacheDir])
  const before = known.get(question)
  if (before && isFresh(before, cacheDir)) return before.answer
  const lookedAt = Date.now()
  const closure = closureOf(wanted as readonly Wanted[])
  const manifests = new Map(
    [...closure.all.keys()].map((folder) => join(folder, 'package.json')).map((path) => [path, timeOf(path)]),
  )
  const answer = await archived(closure, here, there, cacheDir)
  known.set(question, { answer, lookedAt, manifests })
  return answer
}

function isFresh({ answer, lookedAt, manifests }: Known, cacheDir: string): boolean {
  if (Date.now() - lookedAt > looksMs) return false
  if (!('unfit' in answer) && archiveFile(cacheDir, answer.archive) === undefined) return false
  return [...manifests].every(([path, time]) => timeOf(path) === time)
}

const timeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

async function archived(
  closure: Closure,
  here: Platform,
  there: Platform,
  cacheDir: string,
): Promise<Answer> {
  const entries = layOut(closure)
  const key = keyOf(entries, here)
  const needs = recall(cacheDir, key)?.needs ?? needsOf(entries, here)
  const unfit = misfit(needs, there)
  if (unfit !== undefined) return { unfit }
  const names = [...closure.roots.values()].map(({ name, version }) => `${name}@${version}`).sort()
  return once(key, async () => {
    const before = recall(cacheDir, key)
    if (before) return before
    const folder = archiveFolder(cacheDir)
    const made = join(folder, `${key}.${process.pid}.tar.gz`)
    const archive = { ...(await writeArchive(made, entries)), ext: 'tgz' }
    renameSync(made, join(folder, blobName(archive)))
    const ref = { archive, needs, names }
    remember(cacheDir, key, ref)
    return ref
  })
}

/** By sizes and times: what was patched or compiled anew is another archive. */
function keyOf(entries: readonly ArchiveEntry[], here: Platform): string {
  const hash = createHash('sha256').update(JSON.stringify([archiveVersion, here]))
  for (const { path, source, target = '', executable = false } of entries) {
    const { size, mtimeMs } = source === undefined ? { size: 0, mtimeMs: 0 } : statSync(source)
    hash.update(JSON.stringify([path, source, target, executable, size, mtimeMs]))
  }
  return hash.digest('hex')
}
