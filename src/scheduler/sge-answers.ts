import { FarcallError } from '../core/errors.ts'
import type { CommandResult } from '../core/shell.ts'
import type { SubmitAnswers } from './refusal.ts'
import type { QueueSnapshot, RunningJob } from './scheduler.ts'
import { chooseInfo, inError } from './sge-reasons.ts'
import { refusals } from './sge-refusals.ts'
import { readState, recordStatus } from './sge-status.ts'
import { readRecords } from './sge-xml.ts'
import { readIndexes, SnapshotBuilder } from './snapshot.ts'

export function text(result: CommandResult): string {
  return new TextDecoder().decode(result.stdout)
}

const onPath =
  'is it a submit host of a Grid Engine? Its settings are mostly read by `. $SGE_ROOT/default/common/settings.sh`, in .profile there'

export const submitAnswers: SubmitAnswers = {
  command: 'qsub',
  gives: 'job number',
  refusals,
  // Of an array it is 12.1-10:1.
  readId: (line) => /^(\d+)(?:\.\d+-\d+:\d+)?$/.exec(line)?.[1],
  spoken,
  isMissing,
  whenMissing: `qsub does not work there; ${onPath}`,
}

/** No command, or one that has not been told of any Grid Engine. */
function isMissing({ exitCode, stderr }: CommandResult): boolean {
  return exitCode === 127 || /Please set the environment variable SGE_ROOT|SGE_ROOT.*not set/i.test(stderr)
}

/** A command's own words, without what frames them on each line. */
function spoken(result: CommandResult): string {
  const lines = result.stderr
    .split('\n')
    .map((line) =>
      line
        .replace(/^(qsub: |Unable to run job: |Exiting\.)/, '')
        .replace(/^(error: )+/, '')
        .trim(),
    )
    .filter(Boolean)
  return [...new Set(lines)].join('\n')
}

export function requireAnswer(result: CommandResult, command: string): void {
  if (result.exitCode === 0) return
  if (isMissing(result))
    throw new FarcallError('SCHEDULER_MISSING', `${command} does not work there`, { hint: onPath })
  throw new FarcallError(
    'COMMAND_FAILED',
    `${command}: ${spoken(result) || `exit code ${result.exitCode}, no message`}`,
    { transient: true },
  )
}

/** Of queryScript: `qstat -xml`, and why the jobs wait that do. */
export function parseQuery(result: CommandResult): QueueSnapshot {
  requireAnswer(result, 'qstat')
  const [list = '', why = ''] = text(result).split(/^== why$/m)
  const reasons = readReasons(why)
  const jobs = new SnapshotBuilder()
  for (const { JB_job_number: id, state: word, tasks } of readRecords(list, 'job_list')) {
    if (id === undefined || word === undefined || !/^\d+$/.test(id)) continue
    const reason = reasons.get(id)
    const message = !word.includes('q') ? undefined : word.includes('E') ? reason?.error : reason?.waiting
    const status = { ...readState(word), native: word, ...(message === undefined ? {} : { message }) }
    if (tasks === undefined || tasks === '') {
      jobs.job(id, status)
      continue
    }
    const members = readIndexes(tasks)
    if (members) for (const member of members) jobs.member(id, member - 1, status)
    else jobs.rest(id, status)
  }
  return jobs.build()
}

interface Reason {
  readonly error?: string | undefined
  readonly waiting?: string | undefined
}

/** Of `qstat -j`: the first error, and of what the scheduler says of the job the line that says most. */
function readReasons(text: string): Map<string, Reason> {
  const reasons = new Map<string, Reason>()
  for (const block of text.split(/^(?=job_number:)/m)) {
    const job = /^job_number:\s+(\d+)/.exec(block)?.[1]
    if (job === undefined) continue
    // Its first words are when and by whom.
    const error = /^error reason\s+\d+:\s+(?:\S+ \S+ \[\d+:\d+\]:\s*)?(.*\S)/m.exec(block)?.[1]
    const infos = [...block.matchAll(/^(?:scheduling info:)?[ \t]+(\S.*\S)/gm)].map(([, line]) => line!)
    reasons.set(job, {
      error: `${inError}${error ?? 'Grid Engine does not say why'}`,
      waiting: chooseInfo(infos),
    })
  }
  return reasons
}

/** Of submittedScript: the job whose script this is. */
export function parseSubmitted(result: CommandResult, file: string): string | undefined {
  requireAnswer(result, 'qstat')
  let job: string | undefined
  for (const line of text(result).split('\n')) {
    job = /^job_number:\s+(\d+)/.exec(line)?.[1] ?? job
    if (/^script_file:\s+(.*)$/.exec(line)?.[1] === file) return job
  }
  return undefined
}

/** Of qacct: what is known of each run of each job, the last one counts. */
export function parseHistory(result: CommandResult): QueueSnapshot | undefined {
  // No accounting file, or none that may be read here.
  if (
    result.exitCode === 127 ||
    /accounting.*(No such file|Permission denied|can.t open)|error opening|no such file/i.test(result.stderr)
  )
    return undefined
  requireAnswer(result, 'qacct')
  const jobs = new SnapshotBuilder()
  for (const block of text(result).split(/^=+$/m)) {
    const fields: Record<string, string> = Object.create(null)
    for (const line of block.split('\n')) {
      const [, key, value] = /^(\w+)\s+(.*?)\s*$/.exec(line) ?? []
      if (key) fields[key] = value!
    }
    const { jobnumber, taskid, failed, exit_status: exit } = fields
    const [, code, words] = /^(\d+)\s*:?\s*(.*)$/.exec(failed ?? '') ?? []
    if (!jobnumber || !/^\d+$/.test(jobnumber) || code === undefined) continue
    const status = recordStatus({
      failed: Number(code),
      words: words!,
      exitStatus: Number.parseInt(exit ?? '0', 10) || 0,
      wallclock: readSeconds(fields['ru_wallclock']),
      cpuTime: readSeconds(fields['cpu']),
      peakMemory: readKilobytes(fields['ru_maxrss']),
      peakVirtual: readSize(fields['maxvmem']),
      limits: readLimits(fields['category'] ?? '', Number(fields['slots']) || 1),
      host: fields['hostname'],
    })
    const task = /^\d+$/.test(taskid ?? '') ? Number(taskid) : undefined
    if (task === undefined) jobs.job(jobnumber, status)
    else jobs.member(jobnumber, task - 1, status)
  }
  return jobs.build()
}

/** '12s', '0.207s', '12' */
function readSeconds(text = ''): number | undefined {
  const seconds = /^(\d+(?:\.\d+)?)s?$/.exec(text)?.[1]
  return seconds === undefined ? undefined : Number(seconds) || undefined
}

/** '1.459GB', '742.836MB', '0.000B', '12345.000' */
function readSize(text = ''): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([KMGTP]?)B?$/.exec(text) ?? []
  if (number === undefined) return undefined
  return Math.round(Number(number) * 1024 ** ['', 'K', 'M', 'G', 'T', 'P'].indexOf(unit)) || undefined
}

/** ru_maxrss is the kernel's number of kB, which 8.1.9 writes as if it were bytes: '289.824KB' are 290 MB. */
function readKilobytes(text = ''): number | undefined {
  const size = readSize(text)
  return size === undefined ? undefined : size * 1024
}

/** '-l h_vmem=1G,h_rt=60 -pe smp 2': limits are for each slot, and told here for all. */
function readLimits(
  category: string,
  slots: number,
): { time?: number | undefined; memory?: number | undefined } {
  const asked = (name: string) => new RegExp(`(?:^|[ ,])${name}=([^ ,]+)`).exec(category)?.[1]
  const memory = readBytes(asked('h_vmem'))
  return { time: readTime(asked('h_rt')), memory: memory === undefined ? undefined : memory * slots }
}

/** '60', '0:1:0' */
export function readTime(text = ''): number | undefined {
  if (!/^\d*(:\d*){0,2}$/.test(text) || text === '') return undefined
  return text.split(':').reduce((sum, part) => 60 * sum + Number(part), 0) || undefined
}

/** '1G', '1200M', '500k' (thousands), a number of bytes. */
export function readBytes(text = ''): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([kKmMgGtT]?)$/.exec(text) ?? []
  if (number === undefined) return undefined
  const power = ['', 'k', 'm', 'g', 't'].indexOf(unit.toLowerCase())
  return Number(number) * (unit === unit.toLowerCase() ? 1000 : 1024) ** power
}

/** Of whereScript: which job, or task of it, and the running ones. */
export function parseWhere(result: CommandResult): RunningJob | undefined {
  requireAnswer(result, 'qstat')
  const [, job, member] = /^job (\d+) (\d*)$/m.exec(text(result)) ?? []
  for (const record of readRecords(text(result), 'job_list')) {
    const { JB_job_number: id, state = '', queue_name: queue = '', tasks } = record
    const node = queue.split('@')[1]
    if (id !== job || !node || !/r/.test(state) || /[dsST]/.test(state)) continue
    if (member && tasks !== String(Number(member) + 1)) continue
    return { nativeId: tasks ? `${id}.${tasks}` : id!, node, address: node }
  }
  return undefined
}
