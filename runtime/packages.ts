/** Packages that are not in the bundle: unpacked once on a node, for all jobs of its user that want the same ones. */
import { randomBytes } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { basename } from 'node:path'
import { extractArchive } from '../src/archive/extract.ts'
import { platformHere } from '../src/archive/here.ts'
import { misfit } from '../src/archive/needs.ts'
import { blobName, type PackagesRef } from '../src/core/protocol.ts'
import { LaunchError, type Place } from './arguments.ts'
import { withLock } from './lock.ts'

const day = 24 * 3600 * 1000
/** Folders of packages that nobody has used for this long go. */
const unusedMs = 30 * day

/**
 * The folder of the job's packages on this node's own disk, whose node_modules has them.
 * @throws LaunchError
 */
export async function packagesFolder(place: Place, packages: PackagesRef): Promise<string> {
  const { archive, needs, names } = packages
  const wrong = misfit(needs, platformHere())
  if (wrong)
    throw new LaunchError(
      `the packages ${names.join(', ')} cannot be used on ${hostname()}: ${wrong} (Node ${process.version}); call it again: the next ones are made for this machine`,
    )
  const root = ownFolder()
  const folder = `${root}/${archive.sha256}`
  if (isWhole(folder)) return folder
  await withLock(`${folder}.lock`, async () => {
    if (isWhole(folder)) return
    await unpack(`${place.workdir}/blobs/${blobName(archive)}`, archive.sha256, folder)
    sweep(root, folder)
  })
  return folder
}

/** The bundle, beside the node_modules that its imports are looked up in. */
export function bundleBeside(folder: string, bundle: string): string {
  const path = `${folder}/${basename(bundle)}`
  if (existsSync(path)) return path
  const temporary = temporaryName(path)
  // Its content was checked where it lies.
  writeFileSync(temporary, readFileSync(bundle), { mode: 0o600 })
  renameSync(temporary, path)
  return path
}

/** Nobody else can write to it: else what lies in it is not what we have put there. */
function ownFolder(): string {
  const root = `${tmpdir()}/farcall-${process.getuid?.() ?? 0}`
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 })
    const stats = lstatSync(root)
    if (stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & 0o077) === 0) return root
  } catch (error) {
    if (!existsSync(root)) throw new LaunchError(`no folder for packages: ${(error as Error).message}`)
  }
  // Somebody was there before us with this name. Ours goes with this process.
  const alone = mkdtempSync(`${root}-`)
  process.on('exit', () => rmSync(alone, { recursive: true, force: true }))
  return alone
}

const marker = '.farcall-whole'

/** Cleaners of /tmp take single files that are old: so all are kept young while they are used, and counted. */
function isWhole(folder: string): boolean {
  const stats = statSync(`${folder}/${marker}`, { throwIfNoEntry: false })
  if (!stats) return false
  if (Date.now() - stats.mtimeMs < day) return true
  const now = new Date()
  try {
    const files = [...walk(`${folder}/node_modules`)]
    if (files.length !== Number(readFileSync(`${folder}/${marker}`, 'utf8'))) return false
    for (const file of files) if (!lstatSync(file).isSymbolicLink()) utimesSync(file, now, now)
    utimesSync(`${folder}/${marker}`, now, now)
    return true
  } catch {
    // something is missing: it is unpacked anew
    return false
  }
}

function* walk(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) yield* walk(path)
    else yield path
  }
}

async function unpack(archive: string, sha256: string, folder: string): Promise<void> {
  const temporary = temporaryName(folder)
  try {
    mkdirSync(temporary, { mode: 0o700 })
    const got = await extractArchive(archive, temporary)
    if (got.sha256 !== sha256) throw new Error(`its sha256 is ${got.sha256}`)
    writeFileSync(`${temporary}/${marker}`, String(got.files), { mode: 0o600 })
    // One that cleaners have damaged may be in use: it makes way under another name.
    if (existsSync(folder) && !isWhole(folder)) renameSync(folder, `${temporary}.old`)
    renameSync(temporary, folder)
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    // Whoever did not see our lock has been quicker.
    if (isWhole(folder)) return
    const { message } = error as Error
    throw new LaunchError(`the packages ${archive} cannot be unpacked on ${hostname()}: ${message}`)
  }
}

const temporaryName = (path: string) => `${path}.${process.pid}.${randomBytes(4).toString('hex')}`

/** Removes what was not used for long, and what was left by those who were killed while they unpacked. */
function sweep(root: string, used: string): void {
  for (const name of readdirSync(root)) {
    const path = `${root}/${name}`
    if (path.startsWith(used)) continue
    try {
      const at = statSync(existsSync(`${path}/${marker}`) ? `${path}/${marker}` : path).mtimeMs
      const age = /^[0-9a-f]{64}$/.test(name) ? unusedMs : day
      if (Date.now() - at > age) rmSync(path, { recursive: true, force: true })
    } catch {
      // another job is sweeping too
    }
  }
}
