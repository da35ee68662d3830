import type { Column } from '../core/columns.ts'
import type { ResolvedResources } from '../core/resources.ts'
import { isFinal, type JobState, type JobStatus } from '../core/status.ts'
import type { ListedRow } from '../store/types.ts'
import { type Paint, styleOfState } from './colors.ts'
import { inOneUnit } from './times.ts'

/** A job as commands print it; times are ISO 8601. What is not known is absent. */
export interface JobRow {
  readonly id: string
  readonly nativeId?: string
  readonly name: string
  readonly function: string
  readonly profile: string
  readonly state: JobState
  readonly reason?: JobStatus['reason']
  readonly message?: string
  readonly tags: readonly string[]
  /** Inputs, and the tasks of the array that run them. */
  readonly items: number
  readonly tasks: number
  readonly done?: number
  readonly failed?: number
  readonly gpus?: string
  readonly createdAt: string
  readonly submittedAt?: string
  readonly endedAt?: string
}

/** The columns of --format csv, and the order of the keys of JSON. */
export const rowKeys = [
  'id',
  'nativeId',
  'name',
  'function',
  'profile',
  'state',
  'reason',
  'message',
  'tags',
  'items',
  'tasks',
  'done',
  'failed',
  'gpus',
  'createdAt',
  'submittedAt',
  'endedAt',
] as const satisfies readonly (keyof JobRow)[]

export function toRow(job: ListedRow, resources?: ResolvedResources): JobRow {
  const { status, createdAt, submittedAt, members: tasks } = job
  const { state, reason, message } = status
  const endedAt = job.endedAt ?? (isFinal(state) ? status.time : undefined)
  const row = {
    id: job.id,
    nativeId: job.nativeId,
    name: job.name,
    function: job.function,
    profile: job.profile,
    state,
    reason,
    message,
    tags: job.tags,
    items: job.items,
    tasks,
    done: job.done ?? (state === 'COMPLETED' ? job.items : undefined),
    failed: job.failed,
    gpus: resources && gpusOf(resources),
    createdAt: isoTime(createdAt),
    submittedAt: isoTime(submittedAt),
    endedAt: isoTime(endedAt),
  }
  return Object.fromEntries(
    Object.entries(row).filter(([, value]) => value !== undefined),
  ) as unknown as JobRow
}

function isoTime(time: number): string
function isoTime(time: number | undefined): string | undefined
function isoTime(time: number | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString()
}

/** 'a100:2', '2' for each node. */
function gpusOf({ gpus, nodes = 1 }: ResolvedResources): string | undefined {
  if (!gpus) return undefined
  const each = gpus.type === undefined ? String(gpus.count) : `${gpus.type}:${gpus.count}`
  return nodes > 1 ? `${nodes}x ${each}` : each
}

/** 'FAILED timeout' */
export const stateText = ({ state, reason }: Pick<JobRow, 'state' | 'reason'>) =>
  reason === undefined ? state : `${state} ${reason}`

/** '38/40' */
function doneText({ items, done, failed }: JobRow): string {
  if (items === 1) return ''
  const over = (done ?? 0) + (failed ?? 0)
  return done === undefined ? `?/${items}` : `${over}/${items}${failed ? ` ${failed}!` : ''}`
}

/** What every table of jobs begins with. */
export function firstColumns(paint: Paint): Column<JobRow>[] {
  return [
    { head: 'ID', text: ({ id }) => id },
    { head: 'NAME', text: ({ name }) => name, least: 6 },
    {
      head: 'STATE',
      text: stateText,
      least: 9,
      paint: (text, { state }) => paint(styleOfState[state], text),
    },
    { head: 'PROFILE', text: ({ profile }) => profile, least: 7 },
  ]
}

export function jobColumns(paint: Paint, now: number, gpus: boolean): Column<JobRow>[] {
  return [
    ...firstColumns(paint),
    { head: 'NATIVE', text: ({ nativeId = '' }) => nativeId, least: 6 },
    ...(gpus ? [{ head: 'GPUS', text: ({ gpus: asked = '' }: JobRow) => asked, least: 4 }] : []),
    { head: 'ENDED', text: doneText, right: true },
    { head: 'AGE', text: ({ createdAt }) => inOneUnit(now - Date.parse(createdAt)), right: true },
  ]
}
