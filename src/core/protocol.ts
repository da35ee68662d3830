/**
 * What lies on the cluster, and the shapes of it. Both ends read this file; nothing else knows these names.
 *
 *   <workdir>/blobs/<sha256>.<ext>          immutable: runtime, bundles, archives of packages
 *   <workdir>/env/<key>                     which archive npm has made there of which packages
 *   <workdir>/node/<version>-<platform>/    bin/node, a Node that we sent; needs: the glibc it needs, and its bytes
 *   <workdir>/jobs/<id>/spec.json job.sh args.pack
 *   <workdir>/jobs/<id>/spec.<n>.json job.<n>.sh   of a retry, n = 1001, 2001 …; args.pack serves them all
 *   <workdir>/jobs/<id>/submit.<n>/native   what attempt n's submission got from the scheduler
 *   <workdir>/jobs/<id>/run.<n>.<k>/        out.pack log.out log.err end usage environment checkpoint.<item>
 *                                           yields.<item> ack.<item>: attempt n of member k
 *   <workdir>/jobs/<id>/run.<n>.<k>/log.out.<r> log.err.<r> checkpoint.<item>.<r>   of rank r, where that is not 0
 *   <workdir>/jobs/<id>/run.<n>.<k>/ranks/<item>.<r>.<kind>   how rank r ended its part of the item, until that has its record
 *   <workdir>/inbox/<client>/<id>.<n>.<k>   a notice, for the client that waits
 *   <workdir>/inbox/<client>/<id>.<n>.<k>.progress.<s>   how far its items are; the next one takes its place
 *   <workdir>/inbox/<client>/<id>.<n>.<k>.yield.<item>.<s>   how far an item is with its values; likewise
 *   <workdir>/inbox/<client>/<id>.<n>.<k>.need   the member waits for a Node to be sent
 */
import type { FailedCommand } from './command.ts'
import type { JobId } from './ids.ts'
import type { InterpreterFacts, InterpreterSource } from './interpreter.ts'
import type { JobEnvironment } from './job-environment.ts'
import type { Ranks } from './launcher.ts'
import type { ContainedEnvironment } from './profile.ts'
import type { ResolvedResources } from './resources.ts'
import type { RetryPolicy } from './retry-policy.ts'
import type { JobReason, JobStatus } from './status.ts'
import type { TaskProgress } from './task.ts'
import type { DiskTraffic, GpuUsage } from './usage.ts'
import type { StreamWindow, YieldPosition, YieldReport } from './yields.ts'

/** Read older ones, refuse newer ones by name. */
export const protocolVersion = 1

/** A file under blobs/, named by its content. */
export interface BlobRef {
  readonly sha256: string
  readonly size: number
  /** Without the dot: 'mjs', 'cjs', 'bin'. Node goes by it. */
  readonly ext: string
}

export function blobName(blob: BlobRef): string {
  return `${blob.sha256}.${blob.ext}`
}

/** What is asked, immutable once submitted; lies as spec.json beside the job. */
export interface JobSpec {
  readonly protocol: number
  readonly id: JobId
  /** Names the submission in submit.<n> and run.<n>.<k>; see attemptStep. */
  readonly attempt: number
  /** How often all of it was submitted, from 1; absent: once. */
  readonly round?: number
  /** What the scheduler shows. */
  readonly name: string
  /** The inbox that the job's notices go to. */
  readonly client: string
  /** Whose native ids its submissions have; a place may have several schedulers. Absent in specs of older versions. */
  readonly scheduler?: string
  readonly function: { readonly name: string; readonly file?: string; readonly line?: number }
  /** Each item is a command: its argument is a CommandCall, its value a CommandResult. */
  readonly command?: true
  readonly runtime: BlobRef
  readonly bundle: BlobRef
  /** Major version of the oldest Node that the bundle is compiled for; absent: any that farcall runs on. */
  readonly compiledFor?: number
  /** A map, whose value is the array of its items' values; else calls that were made together. */
  readonly map: boolean
  /** Of a map that has several jobs, or may get more. */
  readonly part?: MapPart
  /** Inputs of the map; a plain call has one. */
  readonly items: number
  /** Items for each member: member k runs items [k * chunk, (k + 1) * chunk). */
  readonly chunk: number
  readonly members: number
  /** Items of a member that run at once, each in a process of its own; absent: one after the other, in one process. */
  readonly slots?: Slots
  /** Each item is run by so many processes together; absent: by one. */
  readonly ranks?: Ranks
  /** Members that may run at once. */
  readonly concurrency?: number
  /** The function is a generator: what it yields is read while it runs, and it waits when so much is unread. */
  readonly stream?: StreamWindow
  readonly resources: ResolvedResources
  readonly environment: ContainedEnvironment
  /** Those that the bundle does not hold. */
  readonly packages?: PackagesRef
  /** How jobs of this place came to their Node, as far as is remembered; the job looks for itself all the same. */
  readonly interpreter?: InterpreterSource
  readonly stage?: StageSpec
  /** Blobs that captured values and arguments name: what `share` gave. */
  readonly shared?: readonly BlobRef[]
  /** What becomes of members that fail; whoever follows the job applies it. */
  readonly retry?: RetryPolicy
  /** Which retry of its members this is; absent in the first attempt. */
  readonly retried?: number
  /** The members of this attempt, where it is not all of them. */
  readonly only?: readonly number[]
  /** Items whose error in an earlier attempt does not count: they run again. */
  readonly again?: readonly number[]
  /** Items that do not run again: each of them alone took longer than the time limit. */
  readonly skip?: readonly number[]
  readonly tags?: readonly string[]
  readonly parents?: ParentsSpec
  /** ISO 8601, by the client's clock. */
  readonly createdAt: string
  readonly farcall: string
}

/** Jobs whose values are arguments of this one. `id[k]` stands for that of item k, `id` for that of all its items. */
export interface ParentsSpec {
  /** Those whose values are read from their files. */
  readonly jobs: readonly ParentJob[]
  /** Items whose values were sent along: the i-th is entry `from` + i of args.pack. */
  readonly sent: readonly string[]
  readonly from: number
  /** The items whose values make an array. */
  readonly arrays: Readonly<Record<string, readonly string[]>>
}

/** Gives values by what stands for them, `read` those of single items; one value for each, also within an array. */
export function parentValues(
  { arrays }: Pick<ParentsSpec, 'arrays'>,
  read: (item: string) => unknown,
): (key: string) => unknown {
  const made = new Map<string, unknown>()
  const give = (key: string): unknown => {
    const items = arrays[key]
    // What stands for all items of a job that has one is that one.
    const item = key.endsWith(']') ? key : `${key}[0]`
    const name = items ? key : item
    if (!made.has(name)) made.set(name, items ? items.map(give) : read(item))
    return made.get(name)
  }
  return give
}

export interface ParentJob {
  readonly id: JobId
  readonly name: string
  /** The members that have what is needed; absent: all may. */
  readonly only?: readonly number[]
}

/** What a job waits for, in words; undefined: for none. */
export function describeParents([first, ...more]: readonly ParentJob[]): string | undefined {
  if (!first) return undefined
  return more.length === 0
    ? `waiting for job ${first.id} (${first.name}), whose value is an argument of it`
    : `waiting for job ${first.id} (${first.name}) and ${more.length} more, whose values are arguments of it`
}

/** An error record may have this property: the call was not made, since a job that is an argument of it has no value. */
export const failedParentKey = 'farcall.failedParent'

export interface FailedParent {
  /** What stands for it in arguments. */
  readonly key: string
  /** What the user knows it by. */
  readonly parent: string
  readonly name: string
  readonly status: JobStatus
}

/** Where a job stands in its map. */
export interface MapPart {
  /** The map's id, which is that of its first job; `partId` tells those of the others. */
  readonly of: JobId
  /** From 0. */
  readonly number: number
  /** The number that its first item has in the map. */
  readonly first: number
  /** Items of the whole map; absent where nobody knew yet. */
  readonly total?: number
}

/** Files that go along, and those that are fetched. */
export interface StageSpec {
  readonly in: readonly StagedInput[]
  /** Patterns of what items leave in their working directories. */
  readonly out: readonly string[]
  /** Inputs are copies that may be changed, and not links that may not. */
  readonly copy?: boolean
  /** What failed items have left is fetched, too. */
  readonly onFailure?: boolean
  /** Where the caller was, on its machine, and the folder for what is fetched, below that. */
  readonly cwd: string
  readonly to: string
}

export interface StagedInput {
  /** In the item's working directory. */
  readonly path: string
  /** Under blobs/. */
  readonly blob: BlobRef
  /** Where it was on the caller's machine. */
  readonly from: string
  /** A program: it may be executed there, too. */
  readonly executable?: true
  /** What stands for it in arguments: it is there for items that have it. */
  readonly argument?: string
}

/** A line of run.<n>.<k>/outputs: what one item has left that fits. */
export interface ItemOutputs {
  readonly item: number
  readonly failed?: boolean
  /** In the job's folder. */
  readonly folder: string
  readonly files: readonly OutputFile[]
}

export interface OutputFile {
  /** In the item's working directory. */
  readonly path: string
  readonly size: number
  readonly mode: number
  /** Seconds since the epoch. */
  readonly mtime: number
  readonly sha256: string
}

/** In the run's folder. */
export const outputsFile = 'outputs'
export const workFolder = (item: number): string => `work.${item}`

/** Packages that travel beside the bundle. */
export interface PackagesRef {
  /** Under blobs/; unpacked once on each node. */
  readonly archive: BlobRef
  readonly needs: PlatformNeeds
  /** Those that the bundle imports, with their versions. */
  readonly names: readonly string[]
}

/** What a machine has to be for packages to run on it. What is absent does not matter to them. */
export interface PlatformNeeds {
  /** As `process.platform` and `process.arch`. */
  readonly platform?: string
  readonly arch?: string
  readonly libc?: 'glibc' | 'musl'
  /** The oldest glibc that has what they call, like '2.34'. */
  readonly glibc?: string
  /** NODE_MODULE_VERSION that they are compiled for; those that use Node-API run on any. */
  readonly abi?: string
}

/** How many, and what of the member's cores and GPUs each has; memory is dealt evenly. */
export interface Slots {
  readonly count: number
  readonly cores: number
  readonly gpus: number
}

/** How a member ended, in the words of the runtime or of job.sh; the content of `end`, one line of JSON. */
export interface MemberEnd {
  readonly protocol: number
  readonly id: JobId
  readonly attempt: number
  readonly member: number
  /** Absent: every item has its record. Else why the member stopped before. */
  readonly reason?: JobReason
  /** In plain words, for people. */
  readonly message?: string
  readonly exitCode?: number
  readonly signal?: number
  /** The stack of the call that ended it: process.exit(). */
  readonly stack?: string
  /** The function has saved its state and asks to be run again. */
  readonly requeue?: boolean
  /** Bytes of out.pack when the member ended. */
  readonly bytes: number
  readonly items: number
  /** How many of its items have an exception for a record. */
  readonly thrown?: number
  /** Of commands: how the first that failed has ended, so that whoever reads no record can say so. */
  readonly command?: Omit<FailedCommand, 'stderrTail' | 'hint'>
  /** Of a stream: what its items have yielded. Absent where the member could not say so. */
  readonly yields?: readonly YieldReport[]
  /** Bytes of the list of what the items have left. */
  readonly outputs?: number
  readonly host?: string
  readonly node?: string
  readonly interpreter?: InterpreterFacts
  /** Milliseconds since the epoch, by the node's clock. */
  readonly startedAt?: number
  readonly endedAt?: number
  /** Peak resident memory of the member, bytes. */
  readonly peakMemory?: number
  /** Seconds, child processes included. */
  readonly cpuTime?: number
  readonly disk?: DiskTraffic
  readonly gpu?: GpuUsage
  /** Of the items that this run has finished. */
  readonly work?: Work
  /** Of an attempt's first member in full; of the others what may differ. */
  readonly environment?: Partial<JobEnvironment>
}

/** How long items took: how many, the sum of their seconds, and of the squares of those. */
export interface Work {
  readonly items: number
  readonly seconds: number
  readonly squares: number
}

/**
 * A scheduler's own restarts of attempt n are n + 1, n + 2 …; the client's next submission is n + attemptStep. So
 * neither ever takes a number of the other's, nobody has to be asked for a free one, and two clients that retry the
 * same failure make the same submit.<n>, of which there is one.
 */
export const attemptStep = 1_000

/** The submission that a run belongs to: run.1002.k is the first restart of attempt 1001. */
export function submissionOf(attempt: number): number {
  return attempt - ((attempt - 1) % attemptStep)
}

const numbered = (attempt: number) => (attempt === 1 ? '' : `.${attempt}`)

/** Inside the job's folder. A retry leaves the first attempt's as they are: members of it may still start. */
export const specFile = (attempt: number): string => `spec${numbered(attempt)}.json`
export const scriptFile = (attempt: number): string => `job${numbered(attempt)}.sh`
/** Inside the run's folder: what the runtime knows while it runs. */
export const environmentFile = 'environment'
export const usageFile = 'usage'
export const gpuFile = 'gpu.csv'
const ofRank = (rank: number) => (rank === 0 ? '' : `.${rank}`)
export const checkpointFile = (item: number, rank = 0): string => `checkpoint.${item}${ofRank(rank)}`
export const logFile = (stream: 'stdout' | 'stderr', rank = 0): string =>
  `log.${stream === 'stdout' ? 'out' : 'err'}${ofRank(rank)}`
/** A record for each value, and how far a client has read: `<values> <bytes>\n`. */
export const yieldsFile = (item: number): string => `yields.${item}`
export const ackFile = (item: number): string => `ack.${item}`

export const paths = {
  job: (id: JobId) => `jobs/${id}`,
  submit: (id: JobId, attempt: number) => `jobs/${id}/submit.${attempt}`,
  run: (id: JobId, attempt: number, member: number) => `jobs/${id}/run.${attempt}.${member}`,
  inbox: (client: string) => `inbox/${client}`,
  notice: (id: JobId, attempt: number, member: number) => `${id}.${attempt}.${member}`,
  progress: ({ id, attempt, member, sequence }: TaskReport) =>
    `${id}.${attempt}.${member}.progress.${sequence}`,
  yields: ({ id, attempt, member, item, sequence }: YieldNews) =>
    `${id}.${attempt}.${member}.yield.${item}.${sequence}`,
  node: (name: string) => `node/${name}`,
} as const

/** Results up to this many bytes travel inside the notice; larger ones are fetched. */
export const noticeLimit = 32 * 1024

/**
 * A notice: `farcall-notice <bytes of end> <bytes of records>\n`, the end line, the records (or none when they
 * are over noticeLimit). Notices delimit themselves, so that one `cat` reads a thousand of them.
 */
export const noticeMagic = 'farcall-notice'

/** How far the items are that a member runs just now. */
export interface TaskReport {
  readonly id: JobId
  readonly attempt: number
  readonly member: number
  /** From 1, for each report one more. */
  readonly sequence: number
  readonly items: readonly (TaskProgress & { readonly item: number })[]
}

/** A progress notice: `farcall-progress <bytes of the line>\n`, then a line of JSON. */
export const progressMagic = 'farcall-progress'

export function progressNotice(report: TaskReport): string {
  const line = `${JSON.stringify(report)}\n`
  return `${progressMagic} ${Buffer.byteLength(line)}\n${line}`
}

/** How far an item is with what it yields. */
export interface YieldNews extends YieldReport {
  readonly id: JobId
  readonly attempt: number
  readonly member: number
  /** From 1, for each of an item one more. */
  readonly sequence: number
  /** Where the records begin that travel along; they go up to `count`. */
  readonly from: YieldPosition
}

/** Like a notice: `farcall-yield <bytes of the line> <bytes of records>\n`, a YieldNews, the records. */
export const yieldMagic = 'farcall-yield'
/** The same as a notice with a NodeNeed instead of the end, and no records. */
export const needMagic = 'farcall-need'

export function memberItems(
  spec: Pick<JobSpec, 'items' | 'chunk'>,
  member: number,
): { from: number; to: number } {
  return { from: member * spec.chunk, to: Math.min((member + 1) * spec.chunk, spec.items) }
}

/** The members that an attempt runs. */
export function* membersOf(spec: Pick<JobSpec, 'members' | 'only'>): Iterable<number> {
  if (spec.only) yield* spec.only
  else for (let member = 0; member < spec.members; member++) yield member
}
