import { insideOf, Job } from '../client/job/job.ts'
import { JobArray, type Progress, partsOf } from '../client/job/job-array.ts'
import { capacityTable } from '../client/place/capacity-table.ts'
import type { ClusterJob, ClusterQueue, ClusterResources } from '../client/place/place-resources.ts'
import { plainLine } from '../client/progress/text.ts'
import { inColumns } from '../core/columns.ts'
import type { JobState, JobStatus } from '../core/status.ts'
import { formatSeconds } from '../core/units.ts'
import { Html, html, table } from './html.ts'
import { chip, stateGrid } from './states.ts'
import { isUsage, usageView } from './usage.ts'

/** A thing as text for a terminal and as HTML for a notebook. */
export interface View {
  readonly text: string
  readonly html: Html
}

/** How a thing of farcall's looks; undefined: it is none. */
export function viewOf(value: unknown): View | undefined {
  if (value instanceof Job) return jobView(value)
  if (value instanceof JobArray) return arrayView(value)
  if (typeof value !== 'object' || value === null) return undefined
  if (isUsage(value)) return usageView(value)
  if (!('profile' in value) || !('time' in value)) return undefined
  if ('partitions' in value) return resourcesView(value as ClusterResources)
  return 'jobs' in value ? queueView(value as ClusterQueue) : undefined
}

function jobView(job: Job<unknown>): View {
  const inside = insideOf(job)!
  const { handle, item } = inside.item.behind ?? inside
  const { submission } = handle
  const { submitted, nativeId } = submission
  // Asking for its id would close the group of calls that travel together.
  const id = submitted ? submission.itemId(item) : 'not sent yet'
  const name = submitted?.spec.name ?? ''
  const status = job.status()
  const place = submitted?.executor.name ?? ''
  const facts = [name, nativeId === undefined ? '' : `${nativeId} there`, place].filter(Boolean)
  const words = [`Job ${id}`, facts.length > 0 ? ` (${facts.join(', ')})` : '', `: ${statusText(status)}`]
  const row = [html`<code>${id}</code>`, name, nativeId ?? '', place, statusHtml(status)]
  return { text: words.join(''), html: table(['job', 'name', 'there', 'place', 'state'], [row]) }
}

const statusText = ({ state, reason, message }: JobStatus) =>
  `${state}${reason ? ` (${reason})` : ''}${message ? `: ${message.split('\n')[0]}` : ''}`

const statusHtml = (status: JobStatus) => {
  const { state, reason, message } = status
  const why = [reason ? ` (${reason})` : '', message ? `: ${message.split('\n')[0]}` : ''].join('')
  return html`${chip(state, state)}${why}`
}

function arrayView(array: JobArray<unknown>): View {
  const parts = partsOf(array)!
  const { progress, id } = array
  const [first] = parts.submissions
  const name = first?.submitted?.spec.name ?? 'map'
  const states = parts.submissions.flatMap(({ items }) => items.map(({ status }) => status.state))
  return {
    text: plainLine({ name, id, progress }).replace(/^farcall: /, 'JobArray '),
    html: html`${barHtml({ name, id, progress })}${stateGrid(states)}`,
  }
}

/** A map's progress as a bar. */
export function barHtml(line: {
  readonly name: string
  readonly id: string
  readonly progress: Progress
  readonly failure?: string | undefined
}): Html {
  const { name, id, progress, failure } = line
  const { total, done, failed, running, queued, rate, left } = progress
  const share = (count: number) => `${total === 0 ? 0 : (100 * count) / total}%`
  const facts = [
    `${done + failed} of ${total}`,
    running > 0 ? `${running} running` : '',
    queued > 0 ? `${queued} queued` : '',
    rate === undefined
      ? ''
      : `${rate >= 1 ? rate.toFixed(1) : (rate * 60).toFixed(1)}/${rate >= 1 ? 's' : 'min'}`,
    left === undefined || left === 0 ? '' : `${formatSeconds(Math.ceil(left))} left`,
  ].filter(Boolean)
  const part = (state: JobState, count: number, color: string) =>
    html`<div title="${count} ${state}" style="width:${share(count)};background:${color}"></div>`
  const trouble =
    failed === 0 ? '' : html` ${chip('FAILED', `${failed} failed`)}${failure ? `: ${failure}` : ''}`
  return html`<div style="max-width:640px"><div><b>${name}</b> <code>${id}</code> ${facts.join(', ')}${trouble}</div><div style="display:flex;height:10px;margin:4px 0;background:#9aa0a640">${part('COMPLETED', done, '#1e8e3e')}${part('FAILED', failed, '#d93025')}${part('ACTIVE', running, '#1a73e880')}</div></div>`
}

function resourcesView(resources: ClusterResources): View {
  const { partitions, notes } = resources
  const lines = capacityTable(partitions).trimEnd().split('\n')
  const text = [...lines, ...notes].join('\n')
  const amount = (of: { free: number; total: number } | undefined, unit = 1) =>
    of ? `${round(of.free / unit)} of ${round(of.total / unit)}` : '–'
  const rows = partitions.map(({ name, isDefault, up, nodes, cores, memory, gpus }) => [
    html`<b>${name}</b>${isDefault ? ' (default)' : ''}${up ? '' : ' (closed)'}`,
    nodes ? `${nodes.idle ?? '–'} of ${nodes.total ?? '–'}` : '–',
    amount(cores),
    amount(memory, 1024 ** 3),
    amount(gpus),
  ])
  const heads = ['partition', 'idle nodes', 'free cores', 'free memory, GB', 'free GPUs']
  return { text, html: html`${table(heads, rows)}${notes.map((note) => html`<div>${note}</div>`)}` }
}

const round = (value: number) => Math.round(value * 10) / 10

/** A long queue is told of by its counts, and its first lines. */
const mostRows = 25

function queueView({ jobs }: ClusterQueue): View {
  const count = (state: JobState) => jobs.filter(({ status }) => status.state === state).length
  const counts = `${count('ACTIVE')} running, ${count('QUEUED')} waiting`
  // One's own first.
  const shown = [...jobs.filter(({ mine }) => mine), ...jobs.filter(({ mine }) => !mine)].slice(0, mostRows)
  const more = jobs.length > shown.length ? `and ${jobs.length - shown.length} more` : ''
  const heads = ['JOB', 'NAME', 'USER', 'PARTITION', 'STATE']
  const cells = (job: ClusterJob) => [
    job.nativeId,
    job.name,
    job.user,
    job.partition ?? '',
    statusText(job.status),
  ]
  const columns = heads.map((head, at) => ({ head, text: (job: ClusterJob) => cells(job)[at]! }))
  const text = [counts, ...(shown.length > 0 ? [inColumns(shown, columns).trimEnd()] : []), more]
  const rows = shown.map((job) => [
    job.nativeId,
    job.mine ? html`<b>${job.name}</b>` : job.name,
    job.user,
    job.partition ?? '',
    statusHtml(job.status),
  ])
  const list =
    shown.length > 0
      ? table(
          heads.map((head) => head.toLowerCase()),
          rows,
        )
      : new Html('')
  return {
    text: text.filter(Boolean).join('\n'),
    html: html`<div>${counts}</div>${list}<div>${more}</div>`,
  }
}
