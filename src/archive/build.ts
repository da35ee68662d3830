/** Packages installed by npm, as an archive: on the cluster, or here for another machine. */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join } from 'node:path'
import { blobName, type PackagesRef } from '../core/protocol.ts'
import { closureOf, type InstalledPackage } from './installed.ts'
import { layOut } from './layout.ts'
import { needsOf, type Platform } from './needs.ts'
import { writeArchive } from './write.ts'

/** What is to be installed; the content of files for npm. */
export interface BuildRequest {
  /** Names what it comes to. */
  readonly key: string
  readonly manifest: object
  readonly lock: object
  /** Settings of the user's project: registries of scopes, and how to log in to them. */
  readonly npmrc?: string
  readonly roots: readonly { readonly alias: string; readonly name: string }[]
}

export interface BuildPlace {
  /** For the work. */
  readonly temporary: string
  /** Where the archive goes. */
  readonly blobs: string
  /** The machine that it is for. */
  readonly target: Platform
  /** Whether that is this one: then packages may compile what they need. */
  readonly here: boolean
}

/** Why the packages cannot be had. */
export class BuildError extends Error {}

/** @throws BuildError */
export async function buildArchive(request: BuildRequest, place: BuildPlace): Promise<PackagesRef> {
  const { temporary, blobs, target, here } = place
  mkdirSync(temporary, { recursive: true, mode: 0o700 })
  const folder = mkdtempSync(join(temporary, 'npm-'))
  try {
    const file = { mode: 0o600 }
    writeFileSync(join(folder, 'package.json'), JSON.stringify(request.manifest), file)
    writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(request.lock), file)
    if (request.npmrc !== undefined) writeFileSync(join(folder, '.npmrc'), request.npmrc, file)
    // npm starts the first node on PATH, and what is compiled is for that one.
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    symlinkSync(process.execPath, join(bin, 'node'))
    await npm(folder, ['install', ...quiet, ...(here ? [] : forOther(target))], bin)
    const closure = closureOf(
      request.roots.map(({ alias, name }) => ({ alias, name, folder: join(folder, 'node_modules', alias) })),
    )
    const bare = [...closure.all.values()].filter((one) => !here && mustBeCompiled(one, target))
    if (bare.length > 0) {
      const names = bare.map(({ name, version }) => `${name}@${version}`).join(', ')
      throw new BuildError(`${names} must be compiled on such a machine`)
    }
    const entries = layOut(closure)
    const made = join(folder, 'packages.tar.gz')
    const archive = { ...(await writeArchive(made, entries)), ext: 'tgz' }
    moveInto(made, join(blobs, blobName(archive)))
    const names = [...closure.roots.values()].map(({ name, version }) => `${name}@${version}`).sort()
    return { archive, needs: needsOf(entries, target), names }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error', '--fetch-retries=1']

function forOther({ platform, arch, libc }: Platform): string[] {
  return [
    '--ignore-scripts',
    `--os=${platform}`,
    `--cpu=${arch}`,
    ...(libc === undefined ? [] : [`--libc=${libc}`]),
  ]
}

/** `first`: a folder that PATH begins with. @throws BuildError with npm's own words */
export async function npm(cwd: string, args: readonly string[], first?: string): Promise<void> {
  const PATH = [...(first === undefined ? [] : [first]), process.env['PATH'] ?? ''].join(delimiter)
  const child = spawn('npm', args, {
    cwd,
    env: { ...process.env, PATH },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let words = ''
  // There is no pipe where no more files can be opened, which 'error' tells.
  child.stderr?.on('data', (chunk) => {
    words = (words + chunk).slice(-20_000)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(new BuildError(error.code === 'ENOENT' ? 'there is no npm on PATH' : `npm: ${error.message}`)),
    )
    child.once('close', resolve)
  })
  if (code === 0) return
  const lines = words
    .split('\n')
    .filter((line) => /\S/.test(line) && !/A complete log|npm-debug|_logs/.test(line))
  throw new BuildError(`npm ${args[0]} failed (${code}): ${lines.slice(0, 6).join(' ').slice(0, 600)}`)
}

/** Compiled by npm where it is installed, and nothing in it is compiled for the machine already. */
function mustBeCompiled({ folder, manifest }: InstalledPackage, { platform, arch }: Platform): boolean {
  if (manifest.gypfile !== true && !existsSync(join(folder, 'binding.gyp'))) return false
  const prebuilds = join(folder, 'prebuilds')
  const names = existsSync(prebuilds) ? readdirSync(prebuilds) : []
  return !names.some((name) => name.startsWith(platform) && name.includes(arch))
}

/** Across file systems, too. */
function moveInto(from: string, to: string): void {
  const temporary = `${to}.${process.pid}.tmp`
  copyFileSync(from, temporary)
  chmodSync(temporary, 0o600)
  renameSync(temporary, to)
}
