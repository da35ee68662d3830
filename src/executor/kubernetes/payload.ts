/** What a submission's pods need, and which way it goes to them. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, stat } from 'node:fs/promises'
import { encodeTable } from '../../core/pack.ts'
import { attemptStep, type BlobRef, blobName, type JobSpec, paths, yieldsFile } from '../../core/protocol.ts'
import { shellQuote } from '../../core/shell.ts'
import type { JobPayload, Secrets } from '../executor.ts'
import { podPaths } from './names.ts'
import type { EarlierYields } from './yield-files.ts'

/** Of a Secret, decoded: a MiB, less what its other parts and etcd's own words take. */
const secretLimit = 1_000_000

export interface Payload {
  /** Entries of the Secret by name. */
  readonly secret: Readonly<Record<string, Uint8Array>>
  /** Sent into the pod, since the Secret has no room for it. */
  readonly streamed: readonly StreamedFile[]
}

export interface StreamedFile {
  /** Where it lies in the pod. */
  readonly path: string
  readonly size: number
  readonly sha256: string
  read(): AsyncIterable<Uint8Array>
}

/** A file that may lose its name before it is read. */
export interface OpenFile {
  readonly handle: FileHandle
  readonly size: number
}

interface Parts extends Partial<Pick<JobPayload, 'bundle' | 'secrets' | 'archive' | 'shared'>> {
  readonly args?: readonly Uint8Array[] | OpenFile
  readonly spec: JobSpec
  readonly runtime: Uint8Array
  /** Records of earlier attempts, by member: what they have done is not done again. */
  readonly earlier?: ReadonlyMap<number, Uint8Array>
  /** And what items of streams have yielded. */
  readonly earlierYields?: readonly EarlierYields[]
}

interface File {
  /** In the Secret. */
  readonly name: string
  readonly path: string
  readonly content: Uint8Array | { readonly localPath: string } | OpenFile
}

/** The small ones as they come, as long as there is room; what is left goes as a stream. */
export async function payloadOf(parts: Parts): Promise<Payload> {
  const secret: Record<string, Uint8Array> = {}
  const streamed: StreamedFile[] = []
  let room = secretLimit
  if (parts.secrets && Object.keys(parts.secrets).length > 0) {
    secret['secrets'] = Buffer.from(secretsFile(parts.secrets))
    room -= secret['secrets'].byteLength
  }
  for (const { name, path, content } of filesOf(parts)) {
    const size = await sizeOf(content)
    const read = () => piecesOf(content)
    if (size > room) {
      streamed.push({ path, size, sha256: await sha256Of(read()), read })
      continue
    }
    const pieces: Uint8Array[] = []
    for await (const bytes of read()) pieces.push(bytes)
    secret[name] = Buffer.concat(pieces)
    room -= size
  }
  return { secret, streamed }
}

async function sizeOf(content: File['content']): Promise<number> {
  if (content instanceof Uint8Array) return content.byteLength
  return 'handle' in content ? content.size : (await stat(content.localPath)).size
}

async function* piecesOf(content: File['content']): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) yield content
  else if ('handle' in content) yield* content.handle.createReadStream({ start: 0, autoClose: false })
  else yield* createReadStream(content.localPath)
}

function filesOf(parts: Parts): File[] {
  const { spec, args, bundle, archive, shared = {}, runtime, earlier = new Map(), earlierYields = [] } = parts
  const { workdir } = podPaths
  const before = (member: number) => `${workdir}/${paths.run(spec.id, spec.attempt - attemptStep, member)}`
  const blob = (ref: BlobRef, content: File['content'] | undefined): File[] =>
    content === undefined ? [] : [{ name: blobName(ref), path: `${workdir}/blobs/${blobName(ref)}`, content }]
  const local = (localPath: string | undefined) => (localPath === undefined ? undefined : { localPath })
  const table = args && ('handle' in args ? args : encodeTable(args))
  return [
    ...blob(spec.runtime, runtime),
    ...blob(spec.bundle, bundle),
    ...[...earlier].map(([member, content]) => ({
      name: `earlier.${member}`,
      path: `${before(member)}/out.pack`,
      content,
    })),
    ...earlierYields.map(({ member, item, content }) => ({
      name: `yields.${member}.${item}`,
      path: `${before(member)}/${yieldsFile(item)}`,
      content,
    })),
    ...(table
      ? [{ name: 'args.pack', path: `${workdir}/${paths.job(spec.id)}/args.pack`, content: table }]
      : []),
    ...(spec.shared ?? []).flatMap((ref) => blob(ref, local(shared[blobName(ref)]))),
    ...(spec.packages ? blob(spec.packages.archive, local(archive)) : []),
  ]
}

async function sha256Of(pieces: ReturnType<StreamedFile['read']>): Promise<string> {
  const hash = createHash('sha256')
  // One update takes less than 2 GB.
  for await (const bytes of pieces)
    for (let at = 0; at < bytes.byteLength; at += 2 ** 30) hash.update(bytes.subarray(at, at + 2 ** 30))
  return hash.digest('hex')
}

/** What job.sh reads. */
function secretsFile(secrets: Secrets): string {
  return Object.entries(secrets)
    .map(([name, value]) => `export ${name}=${shellQuote(value)}\n`)
    .join('')
}
