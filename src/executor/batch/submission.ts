import { readFileSync } from 'node:fs'
import { createTar } from 'nanotar'
import type { LimitFunction } from 'p-limit'
import type { Clock } from '../../core/clock.ts'
import { CaptureError, SubmitError, TransportError } from '../../core/errors.ts'
import { encodeTable, isPackFile } from '../../core/pack.ts'
import { type BlobRef, blobName, type JobSpec, paths, scriptFile, specFile } from '../../core/protocol.ts'
import { type CommandResult, shellQuote } from '../../core/shell.ts'
import type { Directives, Scheduler } from '../../scheduler/scheduler.ts'
import type { FileToPut, Transport } from '../../transport/transport.ts'
import type { JobPayload, Secrets } from '../executor.ts'
import { findCutOff } from './cut-off.ts'
import { parseSpec } from './found.ts'
import { diskLow, type Room } from './room.ts'
import { exits } from './script-exits.ts'
import { submitScript } from './submit-scripts.ts'

/** Blobs up to this size travel with the submission; larger ones go before it, by file transfer. */
const alongLimit = 256 * 1024

/** What a pack with a table may hold: the oldest Node that runs jobs reads no more at once. */
const argumentLimit = 4 * 2 ** 30

export interface Blob {
  readonly ref: BlobRef
  /** Undefined: whoever submits has not got it. */
  readonly content: FileToPut['content'] | undefined
  /** Large, and most likely there from an earlier job: sent only when it turns out to be missing. */
  readonly late?: boolean
}

export function lateBlob(ref: BlobRef, localPath: string | undefined): Blob {
  return { ref, content: localPath === undefined ? undefined : { localPath }, late: true }
}

/** A small one goes along at once: it is most likely new, and sent sooner than asked for. */
export function sharedBlob(ref: BlobRef, localPath: string | undefined): Blob {
  if (localPath === undefined || ref.size > alongLimit) return lateBlob(ref, localPath)
  return { ref, content: readFileSync(localPath) }
}

export interface Submission {
  readonly spec: JobSpec
  /** Undefined: they lie there. */
  readonly args: JobPayload['args'] | undefined
  /** Rendered when it is sent: of ten thousand that wait for their turn it would be most of what they hold. */
  script(): string
  readonly directives: Directives
  readonly blobs: readonly Blob[]
  /** A Node of ours that it is to find there; `send` sends it again, or another one, and gives its name. */
  readonly runtime: { readonly name: string; send(): Promise<string> } | undefined
  readonly room: Room
  readonly secrets?: Secrets | undefined
}

export interface Submitted {
  readonly nativeId: string
  /** Seconds since the epoch, by the server's clock. */
  readonly time: number
  /** What was asked, where another client had made this attempt before. */
  readonly spec?: JobSpec
}

/**
 * Sends a job's files and submits it, as one command. `known` holds the names of blobs that the place has had;
 * it is corrected when one has been purged since. `sending` has each wait its turn before its files are packed.
 * A submission of the same attempt that was cut off is found again, and made anew only when nothing came of it.
 * @throws SubmitError with the scheduler's own words
 */
export async function submitJob(
  transport: Transport,
  scheduler: Scheduler,
  workdir: string,
  submission: Submission,
  known: Set<string>,
  clock: Clock,
  sending: LimitFunction,
): Promise<Submitted> {
  requireSendable(submission)
  for (const { ref, late } of submission.blobs) if (late) known.add(blobName(ref))
  const unknown = () => submission.blobs.filter((blob) => !known.has(blobName(blob.ref)))
  let node = submission.runtime?.name ?? ''
  let argsThere = false
  // What is not known yet is looked up when its turn comes: of ten thousand, the first few bring the blobs along.
  const sendUnknown = async () => {
    await sendLarge(transport, workdir, unknown(), known, argsThere ? undefined : submission)
    argsThere = true
    return sending(() => send(transport, scheduler, workdir, submission, unknown(), node))
  }
  const sendAll = async () => {
    const result = await sendUnknown()
    if (result.exitCode !== exits.missingBlob) return result
    const lost = Buffer.from(result.stdout).toString('utf8').trim().split(/\s+/)
    for (const name of lost) known.delete(name)
    if (submission.runtime && lost.includes(paths.node(node))) node = await submission.runtime.send()
    return sendUnknown()
  }
  let result = await sendAll()
  // Again when another client, which came to the same end, was quicker. A scheduler whose answer was lost may have the job.
  let unanswered = 0
  for (let times = 0; isUncertain(result) && times < 10; times++) {
    const found = await findCutOff({ transport, scheduler, workdir, clock }, submission.spec)
    if (found) return found
    if (result.exitCode === exits.unanswered && ++unanswered === mostUnanswered) break
    argsThere = false
    result = await sendAll()
  }
  const submitted = readSubmission(result, scheduler, transport.name, submission)
  for (const blob of submission.blobs) known.add(blobName(blob.ref))
  return submitted
}

/** Of a scheduler that answers none of so many submissions, and has none of them in its queue, no more is asked. */
const mostUnanswered = 3

const isUncertain = ({ exitCode }: CommandResult) =>
  exitCode === exits.uncertain || exitCode === exits.unanswered

/** Ahead of the submission, and of nobody's turn: a small job is not to wait for what takes long to send. */
async function sendLarge(
  transport: Transport,
  workdir: string,
  missing: readonly Blob[],
  known: Set<string>,
  withArgs: Submission | undefined,
): Promise<void> {
  const large = missing.flatMap(({ ref, content }) =>
    content === undefined || isSmall(content)
      ? []
      : [{ path: `${workdir}/blobs/${blobName(ref)}`, content, ref }],
  )
  const { spec, args } = withArgs ?? {}
  const files: FileToPut[] = large.map(({ path, content }) => ({ path, content }))
  if (spec && args && isPackFile(args))
    files.push({ path: `${workdir}/${incomingArgs(spec)}`, content: args })
  if (files.length === 0) return
  try {
    await transport.put(files)
  } catch (error) {
    if (!(error instanceof TransportError && error.code === 'FILE_TRANSFER_FAILED')) throw error
    // What came of it takes room, and nobody else has use for it. The first failure is the one to tell.
    if (spec) await transport.remove([`${workdir}/${incomingArgs(spec)}`]).catch(() => {})
    throw unwritable(
      `the files of ${spec ? `job ${spec.id}` : 'a job'} on ${transport.name}`,
      error.message,
      error,
    )
  }
  for (const { ref } of large) known.add(blobName(ref))
}

/** Where large arguments lie until the job has its folder; the cleaner takes what is left there of old. */
const incomingArgs = ({ id, attempt, client }: JobSpec) => `jobs/.in.${id}.${attempt}.${client}.args`

function isSmall(content: NonNullable<Blob['content']>): content is Uint8Array {
  return content instanceof Uint8Array && content.byteLength <= alongLimit
}

async function send(
  transport: Transport,
  scheduler: Scheduler,
  workdir: string,
  { spec, args, script, directives, blobs, room, secrets = {} }: Submission,
  missing: readonly Blob[],
  node: string,
): Promise<CommandResult> {
  const text = script()
  const along = missing.flatMap(({ ref, content }) =>
    content && isSmall(content) ? [{ ref, bytes: content }] : [],
  )
  const file = { attrs: { mode: '600' } }
  const tar = createTar([
    { name: specFile(spec.attempt), data: JSON.stringify(spec), ...file },
    { name: scriptFile(spec.attempt), data: text, ...file },
    ...(spec.parents && spec.parents.jobs.length > 0
      ? [{ name: 'parents', data: spec.parents.jobs.map(({ id }) => `${id}\n`).join(''), ...file }]
      : []),
    ...(args && !isPackFile(args) ? [{ name: 'args.pack', data: encodeTable(args), ...file }] : []),
    ...(Object.keys(secrets).length > 0 ? [{ name: 'secrets', data: secretsFile(secrets), ...file }] : []),
    ...along.map((blob) => ({ name: `blobs/${blobName(blob.ref)}`, data: blob.bytes, ...file })),
  ])
  const submit = scheduler.submit(`${workdir}/jobs/${spec.id}/${scriptFile(spec.attempt)}`, directives)
  return transport.exec(
    {
      argv: [
        'sh',
        '-c',
        submitScript,
        'farcall',
        workdir,
        spec.id,
        String(spec.attempt),
        spec.client,
        String(room.kib),
        String(room.hundredths),
        node,
        args && isPackFile(args) ? incomingArgs(spec) : '',
        String(blobs.length),
        ...blobs.map((blob) => `${blobName(blob.ref)}:${blob.ref.size}`),
        ...submit.argv,
      ],
      stdin: tar,
    },
    // A megabyte a second, where there is much to send.
    { timeoutMs: 120_000 + tar.byteLength / 1000 },
  )
}

/** What job.sh reads, and removes. */
function secretsFile(secrets: Secrets): string {
  return Object.entries(secrets)
    .map(([name, value]) => `export ${name}=${shellQuote(value)}\n`)
    .join('')
}

function requireSendable({ spec, args = [] }: Submission): void {
  // A little is left for the table and the headers of records.
  const bytes = isPackFile(args)
    ? args.size
    : args.reduce((sum, { byteLength }) => sum + byteLength + 64, 0) + 2 ** 20
  if (bytes <= argumentLimit) return
  const gigabytes = (bytes / 2 ** 30).toFixed(1)
  throw new CaptureError(
    'VALUE_REFUSED',
    `job ${spec.id}: captured values and arguments are ${gigabytes} GB, and at most 4 GB travel with one job`,
    { hint: 'call it for fewer items at a time, or put large data into files that the function reads' },
  )
}

function readSubmission(
  result: CommandResult,
  scheduler: Scheduler,
  place: string,
  { spec, room }: Submission,
): Submitted {
  if (result.exitCode === exits.diskLow) throw diskLow(result, spec.id, place, room)
  if (result.exitCode === exits.missingParent) {
    const parent = Buffer.from(result.stdout).toString('utf8').trim()
    throw new SubmitError(
      'SUBMIT_REFUSED',
      `job ${spec.id} on ${place}: the files of job ${parent}, whose value is an argument of it, are no longer there`,
      { hint: 'call the function of that job again, too' },
    )
  }
  if (result.exitCode === exits.uncertain)
    throw new SubmitError(
      'SUBMIT_REFUSED',
      `job ${spec.id} on ${place}: another client is submitting it just now`,
      {
        hint: `attach('${spec.id}') follows it`,
      },
    )
  if (result.exitCode === exits.unusable)
    throw unwritable(`the folder of job ${spec.id} on ${place}`, bestLine(result.stderr))
  if (result.exitCode === exits.missingBlob)
    throw new SubmitError(
      'SUBMIT_REFUSED',
      `job ${spec.id} on ${place}: its bundle, its packages or a shared value are no longer there, and this process has not got them`,
      { hint: 'files of the work folder were purged; call the function again' },
    )
  const text = Buffer.from(result.stdout).toString('utf8')
  const [time, made, ...lines] = text.split('\n')
  const nativeId = scheduler.parseSubmit({ ...result, stdout: Buffer.from(lines.join('\n')) })
  return { nativeId, time: Number(time), ...(made ? { spec: parseSpec(made) } : {}) }
}

function unwritable(what: string, words: string, cause?: unknown): SubmitError {
  const [first = ''] = words.split('\n')
  return new SubmitError('WORKDIR_UNUSABLE', `${what} could not be written: ${first}`, {
    hint: 'free some space if the disk is full or your quota used up; or name another workdir',
    ...(cause === undefined ? {} : { cause }),
  })
}

/** The line that tells most of what tar and mkdir said. */
function bestLine(text: string): string {
  const lines = text.trim().split('\n')
  return lines.find((line) => /space|quota|denied|read-only/i.test(line)) ?? (lines[0] || 'without a word')
}
