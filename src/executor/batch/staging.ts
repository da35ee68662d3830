/** Files that go to a job and come from it, by the transfers that everybody uses. */
import { rm } from 'node:fs/promises'
import { FileError, ResultError } from '../../core/errors.ts'
import {
  blobName,
  type ItemOutputs,
  type JobSpec,
  outputsFile,
  type StagedInput,
  workFolder,
} from '../../core/protocol.ts'
import { fileFailureOf } from '../../files/failures.ts'
import { nativeName } from '../../files/names.ts'
import { matcher } from '../../files/pattern.ts'
import type { Transport } from '../../transport/transport.ts'
import type { Carrying } from '../files/end.ts'
import { farEnd } from '../files/far-end.ts'
import { farFiles } from '../files/far-files.ts'
import { hashOf } from '../files/near-end.ts'
import type { TreeEntry } from '../files/tree.ts'
import { fileEntry } from '../files/tree-entry.ts'
import { inputsScript, listsScript } from './staging-scripts.ts'

const quiet: Carrying = { onBytes() {}, onFile() {}, signal: undefined }

/** Nobody changes a blob, not even by mistake; some inputs are programs. */
const blobMode = 0o500

/**
 * Sees to it that the content of inputs is there, sending what is not, and that it stays as long as the job may need it.
 * @throws FileError when a file here is gone or has changed since it was looked at
 */
export async function sendInputs(
  transport: Transport,
  workdir: string,
  inputs: readonly StagedInput[],
): Promise<void> {
  const blobs = new Map(inputs.map((input) => [blobName(input.blob), input]))
  const missing = await missingOf(transport, workdir, blobs)
  if (missing.length === 0) return
  const entries: TreeEntry[] = []
  for (const name of missing) {
    const { from, blob } = blobs.get(name)!
    const entry = await fileEntry(from)
    if (entry.size !== blob.size) throw changed(from)
    entries.push({ ...entry, relative: from.replace(/^\/+/, ''), as: name, mode: blobMode })
  }
  const end = farEnd(transport)
  const folder = `${workdir}/blobs`
  await end.receive('/', folder, entries, quiet)
  const sums = await end.hashes(folder, missing)
  const wrong = missing.filter((name, at) => !name.startsWith(`${sums[at]}.`))
  if (wrong.length > 0) {
    await end.removeBelow(folder, wrong)
    throw changed(blobs.get(wrong[0]!)!.from)
  }
  // They have the time of the originals until now.
  const still = await missingOf(transport, workdir, blobs)
  if (still.length > 0)
    throw fileFailureOf('send', blobs.get(still[0]!)!.from, 'it was removed again as soon as it was there')
}

async function missingOf(
  transport: Transport,
  workdir: string,
  blobs: ReadonlyMap<string, StagedInput>,
): Promise<string[]> {
  const argv = ['sh', '-c', inputsScript, 'farcall', workdir]
  const stdin = [...blobs.keys()].map((name) => `${name}\n`).join('')
  const result = await transport.exec({ argv, stdin }, { timeoutMs: 600_000 })
  if (result.exitCode !== 0) throw fileFailureOf('look for inputs in', workdir, result.stderr)
  const sizes = new Map<string, number>()
  for (const line of Buffer.from(result.stdout).toString('latin1').split('\n')) {
    const match = /^ *(\d+) (\S+)$/.exec(line)
    if (match) sizes.set(match[2]!, Number(match[1]))
  }
  return [...blobs].filter(([name, { blob }]) => sizes.get(name) !== blob.size).map(([name]) => name)
}

export interface RunOutputs {
  readonly member: number
  /** Its folder, in the job's. */
  readonly run: string
  /** Of its list; undefined: there is none. */
  readonly bytes: number | undefined
}

/** Copies what items have left: a command for the lists of all, then transfers of all files together. */
export async function fetchOutputs(
  transport: Transport,
  folder: string,
  spec: JobSpec,
  runs: readonly RunOutputs[],
  place: (item: number, failed: boolean, path: string) => string | undefined,
): Promise<ReadonlyMap<number, readonly string[]>> {
  const lists = await listsOf(
    transport,
    folder,
    runs.filter(({ bytes }) => bytes !== undefined),
  )
  for (const run of runs)
    if (run.bytes === undefined) lists.push(...(await leftIn(transport, folder, spec, run)))
  const saved = new Map<number, string[]>()
  const entries: (TreeEntry & { sha256: string })[] = []
  for (const { item, failed = false, folder: work, files } of lists) {
    const paths: string[] = []
    for (const file of files) {
      const to = place(item, failed, file.path)
      if (to === undefined) continue
      paths.push(to)
      const { size, mode, mtime, sha256 } = file
      entries.push({
        relative: `${work}/${file.path}`,
        as: to.replace(/^\/+/, ''),
        type: 'file',
        size,
        mode,
        mtime,
        sha256,
      })
    }
    saved.set(item, paths)
  }
  await farEnd(transport).send(folder, '/', entries, quiet)
  for (const { as, sha256, relative } of entries) {
    const path = `/${as}`
    if (sha256 === '' || (await hashOf(path)) === sha256) continue
    await rm(nativeName(path), { force: true })
    throw new ResultError(
      'RESULT_CORRUPT',
      `job ${spec.id}: its output ${relative} is not what the job has written`,
      {
        hint: 'its files are kept; attach(id) fetches them again',
      },
    )
  }
  return saved
}

async function listsOf(
  transport: Transport,
  folder: string,
  runs: readonly RunOutputs[],
): Promise<ItemOutputs[]> {
  if (runs.length === 0) return []
  const argv = ['sh', '-c', listsScript, 'farcall', folder]
  const stdin = runs.map(({ run }) => `${run}/${outputsFile}\n`).join('')
  const result = await transport.exec({ argv, stdin }, { timeoutMs: 600_000 })
  const size = runs.reduce((sum, { bytes = 0 }) => sum + bytes, 0)
  if (result.exitCode !== 0 || result.stdout.byteLength < size)
    throw fileFailureOf('read', `${folder}/${runs[0]!.run}/${outputsFile}`, result.stderr || 'No such file')
  return Buffer.from(result.stdout)
    .toString('utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as ItemOutputs)
}

/** What fits in the folders of a member that was ended before it could tell. Its files have no checksum. */
async function leftIn(
  transport: Transport,
  folder: string,
  spec: JobSpec,
  { run }: RunOutputs,
): Promise<ItemOutputs[]> {
  const { out, in: inputs } = spec.stage!
  const fits = out.map((pattern) => matcher(pattern.replace(/^(\.\/)+|\/+$/g, '')))
  const given = new Set(inputs.map(({ path }) => path))
  const items = new Map<number, ItemOutputs['files'][number][]>()
  for await (const info of farFiles(transport).find(`${folder}/${run}`)) {
    const [, item, path] =
      new RegExp(`^${workFolder(0).slice(0, -1)}(\\d+)/(.+)$`, 's').exec(
        info.path.slice(folder.length + run.length + 2),
      ) ?? []
    if (path === undefined || info.type !== 'file' || given.has(path)) continue
    const parents = path.split('/').map((_, at, parts) => parts.slice(0, at + 1).join('/'))
    if (!parents.some((parent) => fits.some((one) => one(parent)))) continue
    const mtime = Math.floor(info.modified.getTime() / 1000)
    const file = { path, size: info.size, mode: info.mode, mtime, sha256: '' }
    items.set(Number(item), [...(items.get(Number(item)) ?? []), file])
  }
  return [...items].map(([item, files]) => ({
    item,
    failed: true,
    folder: `${run}/${workFolder(item)}`,
    files,
  }))
}

function changed(path: string): FileError {
  return new FileError('FILE_TRANSFER_FAILED', `the input ${path} changed while it was sent`, path, {
    hint: 'wait until nobody writes to it, and call again',
  })
}
