/** What members left in their pods. */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ResultError, TransportError } from '../../core/errors.ts'
import { decodeRecords, type PackRecord, type RecordKind, readRecord } from '../../core/pack.ts'
import { paths } from '../../core/protocol.ts'
import { type Api, ApiError, explained } from './api.ts'
import { type KeeperLog, memberLog, readKeeperLog, readNotice } from './container-log.ts'
import { execIn } from './exec.ts'
import { containers, podPath, podPaths } from './names.ts'
import type { Pod } from './objects.ts'
import { viewOf } from './pod-status.ts'
import type { TrackedJob } from './tracked-job.ts'

/** Of a keeper's log the last lines: two times its ends, and what it says about itself. */
const tailLines = (members: number) => 2 * members + 3

/** What the keeper of a lane has said until now. */
export async function keeperSays(api: Api, job: TrackedJob, lane: number, pod: Pod): Promise<KeeperLog> {
  const members = job.lanes[lane]!
  const { message } = viewOf(pod)
  const notice = members.length === 1 && message ? readNotice(message) : undefined
  if (notice) return { notices: new Map([[members[0]!, notice]]), reports: new Map(), state: 'done' }
  return keeperTail(api, job, pod, tailLines(members.length))
}

/** Of its log so many lines, and no older ones than that. */
export async function keeperTail(
  api: Api,
  job: TrackedJob,
  pod: Pod,
  tailLines: number,
  sinceSeconds?: number,
): Promise<KeeperLog> {
  const bytes = await containerLog(api, pod, containers.keeper, { tailLines, sinceSeconds })
  return readKeeperLog(bytes.toString('latin1'), job.mark)
}

/** Of a log whose file has gone with its pod the kubelet says so in its place, and with status 200. */
const isKubeletsWord = (bytes: Buffer) =>
  /^(failed to try resolving symlinks in path "|unable to retrieve container logs for )/.test(
    bytes.toString('latin1', 0, 100),
  )

/** Empty where there is none yet, or no longer. */
async function containerLog(
  api: Api,
  pod: Pod,
  container: string,
  part: { readonly tailLines?: number; readonly sinceSeconds?: number | undefined } = {},
): Promise<Buffer> {
  const path = `${podPath(api.access.namespace, pod.metadata.name)}/log`
  try {
    const bytes = await api.askBytes(path, { query: { container, ...part } })
    return isKubeletsWord(bytes) ? Buffer.alloc(0) : bytes
  } catch (error) {
    // 400: it has not begun; 404: the pod is gone.
    if (error instanceof ApiError && (error.status.code === 400 || error.status.code === 404))
      return Buffer.alloc(0)
    throw explained(error, `reading the log of pod ${pod.metadata.name}`)
  }
}

const runOf = ({ spec }: TrackedJob, member: number) =>
  `${podPaths.workdir}/${paths.run(spec.id, spec.attempt, member)}`

const keeperOf = (api: Api, pod: Pod) => ({
  namespace: api.access.namespace,
  pod: pod.metadata.name,
  container: containers.keeper,
})

/** Of a member's log from byte `from`: of the file while the pod is there, then of what its container has printed. */
export async function logOf(
  api: Api,
  job: TrackedJob,
  member: number,
  pod: Pod,
  stream: 'stdout' | 'stderr',
  from: number,
): Promise<Buffer> {
  if (viewOf(pod).kept) {
    const file = `${runOf(job, member)}/${stream === 'stdout' ? 'log.out' : 'log.err'}`
    const script = '[ ! -e "$1" ] || exec tail -c "+$2" "$1"'
    try {
      const { stdout } = await execIn(api, keeperOf(api, pod), [
        'sh',
        '-c',
        script,
        'farcall',
        file,
        String(from + 1),
      ])
      return stdout
    } catch (error) {
      // It ended just now: then its log has all there is.
      const passed = error instanceof ApiError || (error instanceof TransportError && error.transient)
      if (!passed) throw error
    }
  }
  const container = stream === 'stdout' ? containers.main : containers.keeper
  return memberLog(await containerLog(api, pod, container), job.mark, member).subarray(from)
}

/** The end of what a member wrote to stderr. */
export async function stderrTail(api: Api, job: TrackedJob, member: number, pod: Pod): Promise<string> {
  const bytes = await logOf(api, job, member, pod, 'stderr', 0)
  return bytes.subarray(-8192).toString('utf8').split('\n').slice(-21).join('\n')
}

/** All records of a member that lie in its pod. */
export async function recordsOf(api: Api, job: TrackedJob, member: number, pod: Pod): Promise<PackRecord[]> {
  return decodeRecords(await wholeFile(api, pod, `${runOf(job, member)}/out.pack`)).records
}

/** @throws ResultError RESULT_MISSING, TransportError */
export async function wholeFile(api: Api, pod: Pod, file: string): Promise<Buffer> {
  const parts: Buffer[] = []
  await whole(api, pod, file, (bytes) => {
    parts.push(bytes)
  })
  return Buffer.concat(parts)
}

/** Reads a file of the pod to its end, which is known by its length and hash. */
async function whole(
  api: Api,
  pod: Pod,
  file: string,
  take: (bytes: Buffer) => Promise<void> | void,
): Promise<void> {
  const hash = createHash('sha256')
  let size = 0
  const script = '[ -e "$1" ] || exit 44; cat "$1"; wc -c <"$1" >&2; sha256sum <"$1" >&2'
  const onOutput = (bytes: Buffer) => {
    hash.update(bytes)
    size += bytes.length
    return take(bytes)
  }
  const argv = ['sh', '-c', script, 'farcall', file]
  const { exitCode, stderr } = await execIn(api, keeperOf(api, pod), argv, { onOutput }).catch((error) => {
    if (!(error instanceof ApiError)) throw error
    const words = `the result lay in pod ${pod.metadata.name}, which is over: ${error.message}`
    throw new ResultError('RESULT_MISSING', words, {
      hint: 'it waits for as long as kubernetes.linger says in the profile; on a PersistentVolumeClaim (kubernetes.claim) your function can keep what is large',
      cause: error,
    })
  })
  if (exitCode === 44)
    throw new ResultError('RESULT_MISSING', `there is no ${file} in pod ${pod.metadata.name}`)
  const [told = '', sum = ''] = stderr.trim().split(/\s+/)
  if (exitCode !== 0 || Number(told) !== size || sum !== hash.digest('hex'))
    throw new TransportError(
      'FILE_TRANSFER_FAILED',
      `${file} of pod ${pod.metadata.name} came in part: ${size} bytes of ${told || 'unknown'}`,
      { transient: true },
    )
}

/** One record of a member, as a local file; undefined when there is none that is whole. */
export async function saveRecord(
  api: Api,
  job: TrackedJob,
  member: number,
  pod: Pod,
  item: number,
  localPath: string,
): Promise<RecordKind | undefined> {
  const pack = `${localPath}.pack`
  await mkdir(dirname(localPath), { recursive: true })
  try {
    const file = await open(pack, 'w', 0o600)
    try {
      await whole(api, pod, `${runOf(job, member)}/out.pack`, async (bytes) => {
        await file.writeFile(bytes)
      })
    } finally {
      await file.close()
    }
    return await cutRecord(pack, item, localPath)
  } finally {
    await rm(pack, { force: true })
  }
}

async function cutRecord(pack: string, item: number, localPath: string): Promise<RecordKind | undefined> {
  const { size } = await stat(pack)
  const file = await open(pack)
  const partial = `${localPath}.partial`
  try {
    const read = async (position: number, length: number) => {
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - position)))
      await file.read(bytes, 0, bytes.length, position)
      return bytes
    }
    for (let at = 0; ; ) {
      const place = await readRecord(read, at)
      if (!place || place.start + place.length > size) return undefined
      at = place.start + place.length
      if (place.index !== item) continue
      const check = place.check()
      const from = createReadStream(pack, { start: place.start, end: Math.max(place.start, at - 1) })
      const pieces = async function* (source: AsyncIterable<Buffer>) {
        for await (const bytes of source) {
          const part = place.length === 0 ? bytes.subarray(0, 0) : bytes
          check.add(part)
          yield part
        }
      }
      await pipeline(from, pieces, createWriteStream(partial, { mode: 0o600 }))
      if (!check.matches()) return undefined
      await rename(partial, localPath)
      return place.kind
    }
  } finally {
    await file.close()
    await rm(partial, { force: true })
  }
}

/** The pod need not wait any longer. */
export async function letGo(api: Api, pod: Pod): Promise<void> {
  await execIn(api, keeperOf(api, pod), ['touch', `${podPaths.workdir}/fetched`]).catch((error) => {
    // It is gone already.
    if (!(error instanceof ApiError)) throw error
  })
}
