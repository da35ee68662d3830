import { FarcallError } from '../core/errors.ts'
import type { CommandResult } from '../core/shell.ts'
import type { JobStatus } from '../core/status.ts'
import type { SubmitAnswers } from './refusal.ts'
import type { QueueSnapshot } from './scheduler.ts'
import { adviseOnLimit } from './slurm-limits.ts'
import { refusals } from './slurm-refusals.ts'
import { slurmStatus } from './slurm-status.ts'
import { readIndexes, SnapshotBuilder } from './snapshot.ts'

export function text(result: CommandResult): string {
  return new TextDecoder().decode(result.stdout)
}

const onPath =
  'is it a login node of a Slurm cluster? What a module brings is loaded in .profile, or before you start a program on it'

export const submitAnswers: SubmitAnswers = {
  command: 'sbatch',
  gives: 'job id',
  refusals,
  advise: adviseOnLimit,
  readId: (line) => /^(\d+(?:;[\w.-]+)?)$/.exec(line)?.[1],
  spoken,
  isMissing: ({ exitCode }) => exitCode === 127,
  whenMissing: `sbatch is not on the PATH there; ${onPath}`,
}

/** A command's own words, without `sbatch: error: ` on each line. */
function spoken(result: CommandResult): string {
  return result.stderr
    .split('\n')
    .map((line) => line.replace(/^s\w+: (error: |fatal: )?/, '').trim())
    .filter(Boolean)
    .join('\n')
}

export function requireAnswer(result: CommandResult, command: string): void {
  if (result.exitCode === 0) return
  if (result.exitCode === 127)
    throw new FarcallError('SCHEDULER_MISSING', `${command} is not on the PATH there`, {
      hint: onPath,
    })
  throw new FarcallError(
    'COMMAND_FAILED',
    `${command}: ${spoken(result) || `exit code ${result.exitCode}, no message`}`,
    { transient: true },
  )
}

/** Lines of an answer, each with the `;cluster` of its ids; what is no line of ours (a banner) is passed over. */
function* linesByCluster(answer: string): Generator<{ line: string; suffix: string }> {
  let suffix = ''
  for (const line of answer.split('\n')) {
    const cluster = /^CLUSTER: (\S+)\s*$/.exec(line)?.[1]
    if (cluster) suffix = `;${cluster}`
    else yield { line, suffix }
  }
}

export function parseQuery(result: CommandResult): QueueSnapshot {
  requireAnswer(result, 'squeue')
  const jobs = new SnapshotBuilder()
  for (const { line, suffix } of linesByCluster(text(result))) {
    const match = /^(\d+)\|([^|]*)\|([^|]+)\|(\d*)\|(.*)\|\s*$/.exec(line)
    if (!match) continue
    const [, id, task, word, restarts, reason] = match
    const status = slurmStatus({ word: word!, reason, restarts: Number(restarts) })
    addStatus(jobs, id + suffix, task!, status)
  }
  return jobs.build()
}

/** Of `submittedScript`'s answer: the job whose script this is. */
export function parseSubmitted(result: CommandResult, file: string): string | undefined {
  requireAnswer(result, 'squeue')
  const lines = text(result).split('\n')
  return lines.map((line) => /^(\d+)\|(.*)\|\s*$/.exec(line)).find((match) => match?.[2] === file)?.[1]
}

/** `task` is N/A, a number, or what is pending of an array: 5,7-9%2. */
function addStatus(jobs: SnapshotBuilder, id: string, task: string, status: JobStatus): void {
  const members = readIndexes(task.replace(/%\d+$/, ''))
  if (task === '' || task === 'N/A') jobs.job(id, status)
  else if (members) for (const member of members) jobs.member(id, member, status)
  // Cut off (`0-9,...`): every member that no other line names.
  else jobs.rest(id, status)
}

export function parseHistory(result: CommandResult): QueueSnapshot | undefined {
  if (/accounting storage is disabled|Slurm accounting storage/i.test(result.stderr)) return undefined
  // No sacct: a site that keeps no accounting.
  if (result.exitCode === 127) return undefined
  requireAnswer(result, 'sacct')
  const jobs = new SnapshotBuilder()
  const rows = [...linesByCluster(text(result))].flatMap(({ line, suffix }) => {
    const match =
      /^(\d+)(?:_(\[[^\]|]*\]?|\d+))?(\.[^|]*)?\|([^|]+)\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)(?:\|(\d*))?(?:\|([^|]*))?$/.exec(
        line,
      )
    if (!match) return []
    const [, job, task = '', step, word, exitCode, uid, rss, end, elapsed, cpu] = match
    return [
      {
        id: job + suffix,
        task: task.replace(/^\[|\]$/g, ''),
        step,
        word: word!,
        exitCode,
        uid,
        rss: rss!,
        end: end!,
        elapsed: Number(elapsed) || undefined,
        cpuTime: readCpuTime(cpu),
      },
    ]
  })
  // Memory is known of steps only.
  const peaks = new Map<string, number>()
  for (const { id, task, step, rss } of rows) {
    const bytes = step && readSize(rss)
    if (bytes) peaks.set(`${id}_${task}`, Math.max(bytes, peaks.get(`${id}_${task}`) ?? 0))
  }
  for (const { id, task, step, word, exitCode, uid, end, elapsed, cpuTime } of rows) {
    if (step) continue
    const time = /^\d+$/.test(end) ? Number(end) * 1000 : undefined
    const peakMemory = peaks.get(`${id}_${task}`)
    const status = slurmStatus({ word, exitCode, uid, time, elapsed, peakMemory, cpuTime })
    addStatus(jobs, id, task, status)
  }
  return jobs.build()
}

/** sacct's 1234K, 5M, 12.5G or bytes. */
function readSize(size: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([KMGTP]?)$/.exec(size)
  if (!match) return undefined
  return Math.round(Number(match[1]) * 1024 ** ['', 'K', 'M', 'G', 'T', 'P'].indexOf(match[2]!))
}

/** Seconds of sacct's 1-02:03:04, 02:03.456; undefined for none, which it says of what still runs, too. */
function readCpuTime(text = ''): number | undefined {
  const [, days = '0', hours = '0', minutes, seconds] =
    /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(text) ?? []
  return 86_400 * Number(days) + 3600 * Number(hours) + 60 * Number(minutes) + Number(seconds) || undefined
}

/** Seconds of 1-02:03:04; undefined for none. */
function readElapsed(text: string): number | undefined {
  const [, days = '0', hours, minutes, seconds] = /^(?:(\d+)-)?(\d+):(\d+):(\d+)$/.exec(text) ?? []
  return 86_400 * Number(days) + 3600 * Number(hours) + 60 * Number(minutes) + Number(seconds) || undefined
}

export function parseRecent(result: CommandResult): QueueSnapshot {
  requireAnswer(result, 'scontrol')
  const jobs = new SnapshotBuilder()
  let facts: Record<string, string> = {}
  const close = (suffix: string) => {
    const { JobId: job, ArrayJobId: array, ArrayTaskId: task = '', JobState: word } = facts
    if (job && word)
      addStatus(
        jobs,
        (array ?? job) + suffix,
        task,
        slurmStatus({
          word,
          reason: facts['Reason'],
          exitCode: facts['ExitCode'],
          restarts: Number(facts['Restarts'] ?? 0),
          elapsed: facts['RunTime'] === undefined ? undefined : readElapsed(facts['RunTime']),
          uid: /\((\d+)\)$/.exec(facts['UserId'] ?? '')?.[1],
        }),
      )
    facts = {}
  }
  let last = ''
  for (const { line, suffix } of linesByCluster(text(result))) {
    last = suffix
    const head = /^JobId=(\d+)(?: ArrayJobId=(\d+) ArrayTaskId=(\S+))?/.exec(line)
    if (head) {
      close(suffix)
      facts = { JobId: head[1]!, ...(head[2] && { ArrayJobId: head[2], ArrayTaskId: head[3]! }) }
      continue
    }
    const state = /^ {3}JobState=(\S+) Reason=(.*) Dependency=/.exec(line)
    if (state) Object.assign(facts, { JobState: state[1], Reason: state[2] })
    const owner = /^ {3}UserId=(\S+)/.exec(line)
    if (owner) facts['UserId'] = owner[1]!
    const ran = /^ {3}RunTime=(\S+)/.exec(line)
    if (ran) facts['RunTime'] = ran[1]!
    const restarts = /^ {3}Requeue=\d+ Restarts=(\d+) .*ExitCode=(\S+)/.exec(line)
    if (restarts) Object.assign(facts, { Restarts: restarts[1], ExitCode: restarts[2] })
  }
  close(last)
  return jobs.build()
}
