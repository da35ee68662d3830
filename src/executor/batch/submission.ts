import { createTar } from 'nanotar'
import type { Clock } from '../../core/clock.ts'
import { SubmitError } from '../../core/errors.ts'
import { encodeTable } from '../../core/pack.ts'
import { type BlobRef, blobName } from '../../core/protocol.ts'
import type { CommandResult } from '../../core/shell.ts'
import type { Directives, Scheduler } from '../../scheduler/scheduler.ts'
import type { Transport } from '../../transport/transport.ts'
import type { JobPayload } from '../executor.ts'
import { findCutOff } from './cut-off.ts'
import { exits, submitScript } from './scripts.ts'

/** Blobs up to this size travel with the submission; larger ones go before it, by file transfer. */
const alongLimit = 256 * 1024

export interface Blob {
  readonly ref: BlobRef
  readonly bytes: Uint8Array
}

export interface Submission {
  readonly job: JobPayload
  readonly script: string
  readonly directives: Directives
  readonly blobs: readonly Blob[]
}

export interface Submitted {
  readonly nativeId: string
  /** Seconds since the epoch, by the server's clock. */
  readonly time: number
}

/**
 * Sends a job's files and submits it, as one command. `known` holds the names of blobs that the place has had;
 * it is corrected when one has been purged since.
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
): Promise<Submitted> {
  const unknown = () => submission.blobs.filter((blob) => !known.has(blobName(blob.ref)))
  const sendAll = async () => {
    const result = await send(transport, scheduler, workdir, submission, unknown())
    if (result.exitCode !== exits.missingBlob) return result
    for (const name of Buffer.from(result.stdout).toString('utf8').trim().split(/\s+/)) known.delete(name)
    return send(transport, scheduler, workdir, submission, unknown())
  }
  let result = await sendAll()
  if (result.exitCode === exits.uncertain) {
    const found = await findCutOff({ transport, scheduler, workdir, clock }, submission.job.spec)
    if (found) return found
    result = await sendAll()
  }
  const submitted = readSubmission(result, scheduler, transport.name, submission)
  for (const blob of submission.blobs) known.add(blobName(blob.ref))
  return submitted
}

async function send(
  transport: Transport,
  scheduler: Scheduler,
  workdir: string,
  { job, script, directives, blobs }: Submission,
  missing: readonly Blob[],
): Promise<CommandResult> {
  const along = missing.filter((blob) => blob.bytes.byteLength <= alongLimit)
  const before = missing.filter((blob) => blob.bytes.byteLength > alongLimit)
  if (before.length > 0)
    await transport.put(
      before.map((blob) => ({ path: `${workdir}/blobs/${blobName(blob.ref)}`, content: blob.bytes })),
    )
  const { spec } = job
  const file = { attrs: { mode: '600' } }
  const tar = createTar([
    { name: 'spec.json', data: JSON.stringify(spec), ...file },
    { name: 'job.sh', data: script, ...file },
    { name: 'args.pack', data: encodeTable(job.args), ...file },
    ...along.map((blob) => ({ name: `blobs/${blobName(blob.ref)}`, data: blob.bytes, ...file })),
  ])
  const submit = scheduler.submit(`${workdir}/jobs/${spec.id}/job.sh`, directives)
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
        String(blobs.length),
        ...blobs.map((blob) => `${blobName(blob.ref)}:${blob.ref.size}`),
        ...submit.argv,
      ],
      stdin: tar,
    },
    { timeoutMs: 120_000 },
  )
}

function readSubmission(
  result: CommandResult,
  scheduler: Scheduler,
  place: string,
  { job }: Submission,
): Submitted {
  if (result.exitCode === exits.uncertain)
    throw new SubmitError(
      'SUBMIT_REFUSED',
      `job ${job.spec.id} on ${place}: another client is submitting it just now`,
      {
        hint: `attach('${job.spec.id}') follows it`,
      },
    )
  if (result.exitCode === exits.unusable)
    throw new SubmitError(
      'WORKDIR_UNUSABLE',
      `job ${job.spec.id} on ${place}: its folder could not be written: ${bestLine(result.stderr)}`,
      { hint: 'free some space if the disk is full or your quota used up; or name another workdir' },
    )
  const text = Buffer.from(result.stdout).toString('utf8')
  const newline = text.indexOf('\n')
  const answer = { ...result, stdout: Buffer.from(text.slice(newline + 1)) }
  return { nativeId: scheduler.parseSubmit(answer), time: Number(text.slice(0, newline)) }
}

/** The line that tells most of what tar and mkdir said. */
function bestLine(text: string): string {
  const lines = text.trim().split('\n')
  return lines.find((line) => /space|quota|denied|read-only/i.test(line)) ?? (lines[0] || 'without a word')
}
