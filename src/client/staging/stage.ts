import { homedir } from 'node:os'
import { resolve } from 'node:path'
import { cacheFolder } from '../../config/cache-folder.ts'
import { ConfigError, FileError } from '../../core/errors.ts'
import { isLocalFile, localMark } from '../../core/file-arguments.ts'
import type { StagedInput, StageSpec } from '../../core/protocol.ts'
import { fileFailure } from '../../files/failures.ts'
import { localFiles } from '../../files/local.ts'
import { joinPath, nameOf, trimSlashes } from '../../files/paths.ts'
import { hasMagic, matcher, splitPattern } from '../../files/pattern.ts'
import type { FileInfo, FileSystem } from '../../files/types.ts'
import { hashFile } from './file-hash.ts'
import type { StageInput, StageOptions } from './stage-options.ts'

/** A file here, and where it is to lie. */
interface Wanted {
  readonly from: string
  readonly path: string
  readonly argument?: string
}

/** Files that are read at the same time. */
const atOnce = 8

/**
 * What goes along and what comes back, with the content of each input by its hash. `files` are the arguments that stand
 * for files. Undefined: nothing does.
 * @throws FileError FILE_MISSING, ConfigError OPTION_INVALID
 */
export async function stageFor(
  options: StageOptions | undefined,
  files: ReadonlySet<string>,
  cwd: string,
): Promise<StageSpec | undefined> {
  if (!options && files.size === 0) return undefined
  const { in: inputs = [], out = [], copy, onFailure, to = '.' } = options ?? {}
  const fs = localFiles(() => cwd)
  const wanted = new Map<string, Wanted>()
  for (const input of inputs)
    for (const one of await filesOf(fs, typeof input === 'string' ? { from: input } : input, cwd)) {
      const before = wanted.get(one.path)
      if (before && before.from !== one.from)
        throw new ConfigError(
          'OPTION_INVALID',
          `stage.in: ${one.from} and ${before.from} would both be ${one.path}`,
          {
            hint: "give one of them another place: { from: '…', to: '…' }",
          },
        )
      wanted.set(one.path, one)
    }
  const listed: Wanted[] = [...wanted.values()]
  for (const argument of files)
    if (isLocalFile(argument)) listed.push({ from: argument.replace(localMark, '/'), path: '', argument })
  return {
    in: await withHashes(fs, listed),
    out,
    cwd,
    to,
    ...(copy ? { copy } : {}),
    ...(onFailure ? { onFailure } : {}),
  }
}

async function withHashes(fs: FileSystem, wanted: readonly Wanted[]): Promise<StagedInput[]> {
  const staged: StagedInput[] = new Array(wanted.length)
  let next = 0
  const cacheDir = cacheFolder(process.env, homedir())
  const lane = async () => {
    while (next < wanted.length) {
      const at = next++
      const { from, path, argument } = wanted[at]!
      const { mode } = await fileAt(fs, from, argument === undefined ? 'stage.in' : 'localFile')
      try {
        const { sha256, size } = await hashFile(from, cacheDir, Date.now())
        const blob = { sha256, size, ext: 'dat' }
        const executable = (mode & 0o100) === 0 ? {} : ({ executable: true } as const)
        staged[at] =
          argument === undefined
            ? { path, blob, from, ...executable }
            : {
                path: `.files/${sha256.slice(0, 16)}/${nameOf(from)}`,
                blob,
                from,
                argument,
                ...executable,
              }
      } catch (error) {
        throw fileFailure('read', from, error)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return staged
}

async function fileAt(fs: FileSystem, path: string, what: string): Promise<FileInfo> {
  const info = await fs.stat(path).catch((error: unknown) => {
    if (!(error instanceof FileError)) throw error
    throw new FileError(error.code, `${what}: ${error.message.split('\n')[0]}`, path, {
      cause: error,
      hint: 'nothing was submitted; paths are relative to the working directory',
    })
  })
  if (info.type === 'file') return info
  throw new FileError('FILE_WRONG_TYPE', `${what}: ${path} is no file`, path, {
    hint: "a folder goes along with stage: { in: ['folder'] }",
  })
}

/** The files that an entry of `in` names. */
async function filesOf(
  fs: FileSystem,
  { from, to, include, exclude = [] }: StageInput,
  cwd: string,
): Promise<Wanted[]> {
  const absolute = (path: string) => resolve(cwd, path)
  const home = from.replace(/^~(?=\/|$)/, () => homedir())
  const plain = trimSlashes(home.replace(/^(\.\/)+(?=.)/, ''))
  const single = !hasMagic(plain) && !(await fs.isdir(plain))
  const names = (patterns: readonly string[]) => patterns.map((pattern) => matcher(pattern, { hidden: true }))
  const [wanted, unwanted] = [include && names(include), names(exclude)]
  const keeps = (path: string) =>
    (wanted?.some((fits) => fits(nameOf(path))) ?? true) && !unwanted.some((fits) => fits(nameOf(path)))
  if (single) {
    const path =
      to === undefined
        ? placeOf(plain, cwd, nameOf(plain))
        : to.endsWith('/')
          ? joinPath(trimSlashes(to), nameOf(plain))
          : to
    return [{ from: absolute(plain), path }]
  }
  const folder = hasMagic(plain) ? splitPattern(plain).folder : plain
  const found = hasMagic(plain) ? await expand(fs, plain) : await below(fs, plain)
  const files = found.filter(keeps)
  if (files.length === 0)
    throw new FileError('FILE_MISSING', `stage.in: no file fits ${from}`, from, {
      hint: `nothing was submitted; it was looked for in ${cwd}`,
    })
  const within = (path: string) => (folder === '.' ? path : path.slice(joinPath(folder, '').length))
  return files.map((path) => ({
    from: absolute(path),
    path: to === undefined ? placeOf(path, cwd, within(path)) : joinPath(trimSlashes(to), within(path)),
  }))
}

/** Files that fit, and all that is in folders that fit. */
async function expand(fs: FileSystem, pattern: string): Promise<string[]> {
  const all = new Set<string>()
  for (const path of await fs.glob(pattern))
    if (await fs.isdir(path)) for (const file of await below(fs, path)) all.add(file)
    else all.add(path)
  return [...all]
}

async function below(fs: FileSystem, folder: string): Promise<string[]> {
  const found = await fs.find(folder)
  const files: string[] = []
  for (const { path, type } of found)
    if (type === 'file' || (type === 'link' && (await fs.isfile(path)))) files.push(path)
  return files
}

/** The same place below the job's working directory; what lies outside of ours is called as it is. */
function placeOf(path: string, cwd: string, name: string): string {
  const inside = path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path
  return inside.startsWith('/') || inside.split('/').includes('..') ? name : inside
}

/** Where an item's outputs go here. */
export function outputFolder(
  stage: StageSpec,
  job: { id: string; items: number; map: boolean },
  index: number,
  base: string,
): string {
  const several = job.map || job.items > 1
  const marked = stage.to.includes('{index}')
  const to = stage.to.replaceAll('{id}', job.id).replaceAll('{index}', String(index))
  const absolute = to.startsWith('/')
    ? to
    : /^~(?=\/|$)/.test(to)
      ? `${homedir()}${to.slice(1)}`
      : joinPath(base, to === '.' ? '' : to.replace(/^(\.\/)+/, ''))
  return several && !marked ? joinPath(trimSlashes(absolute), String(index)) : trimSlashes(absolute)
}
