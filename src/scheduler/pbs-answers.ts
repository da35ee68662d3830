import { FarcallError } from '../core/errors.ts'
import type { CommandResult } from '../core/shell.ts'
import { refusals } from './pbs-refusals.ts'
import { pbsStatus } from './pbs-status.ts'
import type { SubmitAnswers } from './refusal.ts'
import type { QueueSnapshot } from './scheduler.ts'
import { SnapshotBuilder } from './snapshot.ts'

/** '123.server', '123[].server' of an array, '123[4].server' of one of its members. */
const idForm = /^(\d+)(\[(\d*)\])?((?:\.[\w.-]+)?)$/

const onPath =
  'is it a login node of a PBS cluster? What a module brings is loaded in .profile, or before you start a program on it'

export const submitAnswers: SubmitAnswers = {
  command: 'qsub',
  gives: 'job id',
  refusals,
  readId: (line) => (idForm.test(line) ? line : undefined),
  spoken,
  isMissing: ({ exitCode }) => exitCode === 127,
  whenMissing: `qsub is not on the PATH there; ${onPath}`,
}

/** A command's own words, without its name on each line. */
function spoken(result: CommandResult): string {
  return result.stderr
    .split('\n')
    .map((line) => line.replace(/^q\w+: /, '').trim())
    .filter(Boolean)
    .join('\n')
}

export function text(result: CommandResult): string {
  return new TextDecoder().decode(result.stdout)
}

/** What qstat says of jobs, as queryScript and historyScript print it. */
export function parseJobs(result: CommandResult): QueueSnapshot {
  const lines = text(result).split('\n')
  const last = lines
    .map((line) => /^farcall-exit (\d+)$/.exec(line)?.[1])
    .findLast((code) => code !== undefined)
  requireAnswer(result, Number(last ?? result.exitCode))
  const jobs = new SnapshotBuilder()
  for (const { id, fields } of jobsIn(lines)) addJob(jobs, id, fields)
  return jobs.build()
}

/** Jobs that are not known, or not any more, are no failure of the question. */
export function requireAnswer(result: CommandResult, exitCode: number): void {
  if (exitCode === 127)
    throw new FarcallError('SCHEDULER_MISSING', 'qstat is not on the PATH there', { hint: onPath })
  if (exitCode === 0) return
  const rest = spoken(result)
    .split('\n')
    .filter((line) => line !== '' && !/unknown job ?id|has finished/i.test(line))
  // 153 is PBSE_UNKJOBID, 35 PBSE_HISTJOBID.
  if (rest.length === 0 && (spoken(result) !== '' || exitCode === 153 || exitCode === 35)) return
  throw new FarcallError(
    'COMMAND_FAILED',
    `qstat: ${rest.join('\n') || `exit code ${exitCode}, no message`}`,
    { transient: true },
  )
}

export type Fields = ReadonlyMap<string, string>

export function* jobsIn(lines: readonly string[]): Generator<{ id: string; fields: Fields }> {
  let id: string | undefined
  let fields = new Map<string, string>()
  for (const line of lines) {
    const head = /^Job Id: (\S+)\s*$/.exec(line)?.[1]
    if (head !== undefined) {
      if (id !== undefined) yield { id, fields }
      id = head
      fields = new Map()
      continue
    }
    const [, key, value] = /^ {4}([\w.]+) = (.*)$/.exec(line) ?? []
    // The first counts: no value of ours comes before a field of the server's.
    if (key !== undefined && !fields.has(key.toLowerCase())) fields.set(key.toLowerCase(), value!.trim())
  }
  if (id !== undefined) yield { id, fields }
}

function addJob(jobs: SnapshotBuilder, id: string, fields: Fields): void {
  const [, number, brackets, index, server] = idForm.exec(id) ?? []
  const letter = fields.get('job_state')
  if (number === undefined || letter === undefined) return
  const status = pbsStatus({
    letter,
    exitStatus: readInteger(fields.get('exit_status')),
    substate: readInteger(fields.get('substate')),
    comment: fields.get('comment'),
    depends: fields.has('depend'),
    holdTypes: fields.get('hold_types'),
    elapsed: readTime(fields.get('resources_used.walltime')),
    timeLimit: readTime(fields.get('resource_list.walltime')),
    peakMemory: readSize(fields.get('resources_used.mem')),
    memoryLimit: readSize(fields.get('resource_list.mem')),
    cpuTime: readTime(fields.get('resources_used.cput')),
  })
  if (brackets && index) jobs.member(`${number}[]${server}`, Number(index), status)
  else jobs.job(id, status)
}

/** Of queryScript's answer: the job whose script this is. */
export function parseSubmitted(result: CommandResult, file: string): string | undefined {
  parseJobs(result)
  for (const { id, fields } of jobsIn(text(result).split('\n'))) {
    const said = fields.get('submit_arguments') ?? fields.get('submit_args')
    const [, number, brackets, , server] = idForm.exec(id) ?? []
    if (said !== undefined && number !== undefined && said.trimEnd().endsWith(file))
      return brackets ? `${number}[]${server}` : id
  }
  return undefined
}

export function readInteger(said: string | undefined): number | undefined {
  return said !== undefined && /^-?\d+$/.test(said) ? Number(said) : undefined
}

/** Seconds of 12:34:56, 34:56 or 2096. */
export function readTime(said: string | undefined): number | undefined {
  const match = /^(?:(?:(\d+):)?(\d+):)?(\d+)$/.exec(said ?? '')
  if (!match) return undefined
  return Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3])
}

/** Bytes of 1234kb, 2gb, 100b; w is a word of eight. */
export function readSize(said: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kmgtp]?)([bw]?)$/i.exec(said ?? '')
  if (!match) return undefined
  const [, value, prefix, unit] = match as unknown as [string, string, string, string]
  const factor = 1024 ** ['', 'k', 'm', 'g', 't', 'p'].indexOf(prefix.toLowerCase())
  return Math.round(Number(value) * factor * (unit.toLowerCase() === 'w' ? 8 : 1))
}
