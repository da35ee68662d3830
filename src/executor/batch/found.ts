import { ResultError } from '../../core/errors.ts'
import { type JobSpec, type MemberEnd, protocolVersion } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import type { Scheduler } from '../../scheduler/scheduler.ts'
import { parseEnd } from './notices.ts'

interface FoundFiles {
  spec: JobSpec
  nativeId?: string
  status: JobStatus
  /** Of the attempt that the spec names, or a later one. */
  ends: MemberEnd[]
}

/** Reads what findScript printed: jobs as their files tell them, from whichever client. */
export function parseFound(text: string, scheduler: Scheduler): FoundFiles[] {
  const found: FoundFiles[] = []
  const ends: MemberEnd[] = []
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    const [mark, rest] = [line.slice(0, space), line.slice(space + 1)]
    if (mark === 'spec') found.push({ spec: parseSpec(rest), status: { state: 'NEW' }, ends: [] })
    const job = found.at(-1)
    if (!job) continue
    if (mark === 'submitted') {
      const [attempt, exitCode, ...words] = rest.split(' ')
      if (Number(attempt) !== job.spec.attempt) continue
      const stdout = Buffer.from(words.join(' '))
      job.nativeId = scheduler.parseSubmit({ exitCode: Number(exitCode), stdout, stderr: '' })
      job.status = { state: 'QUEUED' }
    }
    if (mark === 'started') {
      const [attempt, nativeId] = rest.split(' ')
      if (Number(attempt) !== job.spec.attempt || !nativeId) continue
      job.nativeId = nativeId
      job.status = { state: 'QUEUED' }
    }
    if (mark === 'end') ends.push(parseEnd(rest))
  }
  for (const job of found) {
    job.ends = ends.filter((end) => end.id === job.spec.id && end.attempt >= job.spec.attempt)
    if (job.ends.length > 0) job.status = { state: 'ACTIVE' }
    if (new Set(job.ends.map((end) => end.member)).size === job.spec.members)
      job.status = { state: 'COMPLETED' }
  }
  return found
}

/** @throws ResultError RESULT_CORRUPT, PROTOCOL_NEWER */
export function parseSpec(text: string): JobSpec {
  let spec: JobSpec
  try {
    spec = JSON.parse(text) as JobSpec
  } catch (cause) {
    throw new ResultError('RESULT_CORRUPT', 'a spec.json on the cluster is damaged', { cause })
  }
  if (spec.protocol > protocolVersion)
    throw new ResultError(
      'PROTOCOL_NEWER',
      `job ${spec.id} was submitted by farcall ${spec.farcall} (protocol ${spec.protocol})`,
      {
        hint: `this one reads up to protocol ${protocolVersion}: update farcall`,
      },
    )
  return spec
}
