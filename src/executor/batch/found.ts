import { ResultError } from '../../core/errors.ts'
import { type JobSpec, type MemberEnd, membersOf, protocolVersion } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import type { Scheduler } from '../../scheduler/scheduler.ts'
import { latestOf, parseEnds } from './notices.ts'

export interface FoundFiles {
  status: JobStatus
  /** The first submission, then its retries. */
  attempts: { readonly spec: JobSpec; nativeId?: string; ends: MemberEnd[] }[]
}

/** Reads what findScript printed: jobs as their files tell them, from whichever client. */
export function parseFound(text: string, scheduler: Scheduler): FoundFiles[] {
  const found: FoundFiles[] = []
  const ends = new Map<FoundFiles, string[]>()
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    const [mark, rest] = [line.slice(0, space), line.slice(space + 1)]
    if (mark === 'job') {
      const job: FoundFiles = { status: { state: 'NEW' }, attempts: [] }
      found.push(job)
      ends.set(job, [])
    }
    const job = found.at(-1)
    if (!job) continue
    if (mark === 'spec') job.attempts.push({ spec: parseSpec(rest), ends: [] })
    if (mark === 'submitted') {
      const [number, exitCode, ...words] = rest.split(' ')
      const attempt = job.attempts.find(({ spec }) => spec.attempt === Number(number))
      if (!attempt) continue
      const stdout = Buffer.from(words.join(' '))
      attempt.nativeId = scheduler.parseSubmit({ exitCode: Number(exitCode), stdout, stderr: '' })
      job.status = { state: 'QUEUED' }
    }
    if (mark === 'started') {
      const [number, nativeId] = rest.split(' ')
      const attempt = job.attempts.find(({ spec }) => spec.attempt === Number(number))
      if (!attempt || !nativeId) continue
      attempt.nativeId = nativeId
      job.status = { state: 'QUEUED' }
    }
    if (mark === 'end') ends.get(job)!.push(rest)
  }
  for (const job of found) {
    job.attempts.sort((a, b) => a.spec.attempt - b.spec.attempt)
    const ended = new Map<number, boolean>()
    for (const attempt of job.attempts) {
      attempt.ends = latestOf(parseEnds(ends.get(job)!.join('\n')), attempt.spec.attempt)
      if (attempt.nativeId === undefined) continue
      for (const member of membersOf(attempt.spec)) ended.set(member, false)
      for (const end of attempt.ends) ended.set(end.member, true)
    }
    const over = [...ended.values()].filter((one) => one).length
    if (over > 0) job.status = { state: over === ended.size ? 'COMPLETED' : 'ACTIVE' }
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
