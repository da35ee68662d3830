import { Command } from 'commander'
import type { ResolvedResources } from '../../core/resources.ts'
import { formatMemory, formatSeconds } from '../../core/units.ts'
import type { JobRecord, JobStore } from '../../store/types.ts'
import { styleOfState } from '../colors.ts'
import { nameJobs } from '../job-names.ts'
import { type JobRow, stateText, toRow } from '../job-row.ts'
import { jsonOption, paintStdout, printJson } from '../print.ts'
import { openRecord } from '../record.ts'
import { inOneUnit, localTime } from '../times.ts'
import { bringUpToDate, partsOf } from '../up-to-date.ts'

interface Options {
  profile?: string
  offline?: true
  json?: true
}

interface Tried {
  readonly attempt: number
  readonly nativeId?: string
  readonly submittedAt?: string
}

/** What there is to say of a job. */
export interface Details extends JobRow {
  readonly resources: ResolvedResources
  /** Items of a map by where they stand, as far as the record knows. */
  readonly attempts: readonly Tried[]
  readonly states: readonly { readonly time: string; readonly state: string; readonly reason?: string }[]
  readonly workdir?: string
  readonly program?: string
  readonly nodeVersion?: string
}

export function statusCommand(): Command {
  return new Command('status')
    .argument('<id...>', 'jobs: ids or their beginnings, the scheduler’s ids, A..B for all made between')
    .option('--profile <name>', 'the profile that they were sent to, where ids alone do not tell')
    .option('--offline', 'as last heard of: ask no place')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Places are asked about jobs that are under way and that no program here follows: one question for all of a place.

Examples:
  farcall status fqp3ikcfdfl4z4
  farcall status fqp3 fmiq 4711
  farcall status fqp3 --json | jq -r '.[0].state'

Exit code: 0, whatever the states are; 2 for a job that nobody knows.`,
    )
    .action(status)
}

async function status(texts: string[], { profile, offline, json }: Options): Promise<void> {
  const store = await openRecord()
  const named = nameJobs(store, texts, profile)
  const unknown = named.filter(({ record }) => !record)
  if (unknown.length > 0) {
    const { putOnRecord } = await import('../put-on-record.ts')
    for (const { id } of unknown) await putOnRecord(store, id, profile)
  }
  if (!offline)
    await bringUpToDate(
      store,
      named.map(({ id }) => id),
    )
  const all = named.map(({ id }) => detailsOf(store, store.get(id)!))
  if (json) printJson(all)
  else process.stdout.write(all.map((details) => detailsText(details, Date.now())).join('\n'))
}

export function detailsOf(store: JobStore, record: JobRecord): Details {
  const { spec, provenance, nodeVersion } = record
  const whole = store.list({ maps: true, since: record.createdAt, until: record.createdAt + 1, limit: 1_000 })
  const row = toRow(whole.find(({ id }) => id === record.id) ?? record, spec.resources)
  const iso = (time: number) => new Date(time).toISOString()
  return {
    ...row,
    resources: spec.resources,
    attempts: partsOf(store, record.id)
      .flatMap((id) => store.attempts(id))
      .map(({ attempt, nativeId, submittedAt }) => ({
        attempt,
        ...(nativeId === undefined ? {} : { nativeId }),
        ...(submittedAt === undefined ? {} : { submittedAt: iso(submittedAt) }),
      })),
    states: store
      .statuses(record.id)
      .filter(({ member }) => member === undefined)
      .map(({ time, status: { state, reason } }) => ({
        time: iso(time),
        state,
        ...(reason ? { reason } : {}),
      })),
    ...(record.profileSettings.workdir === undefined ? {} : { workdir: record.profileSettings.workdir }),
    ...(provenance.program === undefined ? {} : { program: provenance.program }),
    ...(nodeVersion === undefined ? {} : { nodeVersion }),
  }
}

function detailsText(details: Details, now: number): string {
  const { id, name, profile, nativeId, items, tasks, done, failed, tags, program, attempts } = details
  const paint = paintStdout()
  const count =
    items === 1
      ? undefined
      : `${items}${tasks === items ? '' : ` in ${tasks === 1 ? 'one task' : `${tasks} tasks`}`}`
  const ended =
    items === 1 || done === undefined ? '' : `, ${done} done${failed ? `, ${failed} failed or canceled` : ''}`
  const lines: [string, string | undefined][] = [
    ['job', `${id} (${name})`],
    ['state', paint(styleOfState[details.state], stateText(details))],
    ['', details.message],
    ['items', count && `${count}${ended}`],
    ['profile', `${profile}${nativeId === undefined ? ', not submitted' : `, its id there: ${nativeId}`}`],
    ['asked for', resourcesText(details.resources)],
    ['made', whenText(details.createdAt, now)],
    ['submitted', details.submittedAt && whenText(details.submittedAt, now)],
    ['ended', details.endedAt && whenText(details.endedAt, now)],
    ['attempts', attempts.length > 1 && items === 1 ? String(attempts.length) : undefined],
    ['tags', tags.length > 0 ? tags.join(', ') : undefined],
    ['program', program],
  ]
  return lines
    .filter(([, text]) => text !== undefined)
    .map(([head, text]) => `${head.padEnd(10)} ${text}\n`)
    .join('')
}

function whenText(iso: string, now: number): string {
  const time = Date.parse(iso)
  return `${localTime(time)} (${inOneUnit(now - time)} ago)`
}

/** 'cores 8, memory 16 GB, time 2:00:00' */
export function resourcesText({
  memoryBytes,
  timeSeconds,
  gpus,
  ...rest
}: ResolvedResources): string | undefined {
  const words = [
    ...(memoryBytes === undefined ? [] : [`memory ${formatMemory(memoryBytes)}`]),
    ...(timeSeconds === undefined ? [] : [`time ${formatSeconds(timeSeconds)}`]),
    ...(gpus ? [`gpus ${gpus.type === undefined ? '' : `${gpus.type}:`}${gpus.count}`] : []),
    ...Object.entries(rest).map(([key, value]) => `${key} ${Array.isArray(value) ? value.join(',') : value}`),
  ]
  return words.length > 0 ? words.join(', ') : undefined
}
