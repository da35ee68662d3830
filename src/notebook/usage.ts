import { formatMemory, formatMemoryOf, formatSeconds, formatSecondsOf } from '../core/units.ts'
import type { JobArrayUsage, JobUsage } from '../core/usage.ts'
import { histogram } from './histogram.ts'
import { type Html, html, table } from './html.ts'

export const isUsage = (value: object): value is JobUsage =>
  'hints' in value && 'memory' in value && 'time' in value && 'cpu' in value

const isOfMap = (usage: JobUsage): usage is JobArrayUsage => 'items' in usage && 'sum' in usage

/** What a job or a map used, against what it had asked for; of a map how its items' time and memory are spread. */
export function usageView(usage: JobUsage): { text: string; html: Html } {
  const { hints } = usage
  const rows = factsOf(usage)
  const widest = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, value]) => `${name.padEnd(widest)}  ${value}`)
  return {
    text: [...lines, ...hints.map((hint) => `hint: ${hint}`)].join('\n'),
    html: html`${table(['used', ''], rows)}${hints.map((hint) => html`<div>hint: ${hint}</div>`)}${isOfMap(usage) ? spreads(usage) : ''}`,
  }
}

function factsOf(usage: JobUsage): [name: string, value: string][] {
  const { memory, time, cpu, disk, gpu } = usage
  const most = isOfMap(usage) ? ' (most)' : ''
  const rows: [string, string][] = [
    [`memory${most}`, of(memory, formatMemory, formatMemoryOf)],
    [`time${most}`, of(time, formatSeconds, formatSecondsOf)],
    ['cpu', cpu.used === undefined ? unknown : `${formatSeconds(cpu.used)}${share(cpu)}`],
  ]
  if (disk) rows.push(['disk', `${formatMemory(disk.read)} read, ${formatMemory(disk.written)} written`])
  if (gpu) {
    const { used, total } = gpu.memory
    rows.push(['gpu', `${percent(gpu.utilization)} of ${gpu.count} busy, ${formatMemoryOf(used, total)}`])
  }
  if (isOfMap(usage)) rows.push(['time of all', formatSeconds(usage.sum.time)])
  return rows
}

const unknown = 'not known'

function of(
  { used, asked }: { readonly used?: number; readonly asked?: number },
  alone: (value: number) => string,
  both: (used: number, asked: number) => string,
): string {
  if (used === undefined) return unknown
  return asked === undefined ? alone(used) : both(used, asked)
}

const percent = (part: number): string => `${Math.round(part * 100)} %`

function share({ cores, efficiency }: JobUsage['cpu']): string {
  if (cores === undefined || efficiency === undefined) return ''
  return `, ${percent(efficiency)} of ${cores} core${cores === 1 ? '' : 's'}`
}

function spreads({ items, memory, time }: JobArrayUsage): Html {
  const known = (values: (number | undefined)[]) => values.filter((value) => value !== undefined)
  return html`${titled(
    'time of the items',
    histogram(known(items.map((item) => item.time.used)), formatSeconds, time.asked),
  )}${titled(
    'memory of the items',
    histogram(known(items.map((item) => item.memory.used)), formatMemory, memory.asked),
  )}`
}

const titled = (title: string, picture: Html): Html =>
  picture.text === '' ? picture : html`<div style="margin-top:8px"><b>${title}</b></div>${picture}`
