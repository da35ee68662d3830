/** A map's progress as a line for people. Pure. */
import { stripVTControlCharacters, styleText } from 'node:util'
import { formatSeconds } from '../../core/units.ts'
import type { Progress } from '../job/job-array.ts'

export interface ProgressLine {
  readonly name: string
  readonly id: string
  readonly progress: Progress
  /** The first line of what failed last. */
  readonly failure?: string | undefined
}

const barWidth = 20

/** Of a terminal: with a bar, and no longer than it is wide. */
export function liveLine(line: ProgressLine, columns: number, colors: boolean): string {
  const { name, progress, failure } = line
  const { total, done, failed } = progress
  const ended = done + failed
  const share = total === 0 ? 1 : ended / total
  const full = Math.floor(share * barWidth)
  const bar = `${'█'.repeat(full)}${'░'.repeat(barWidth - full)}`
  const paint = (style: 'green' | 'red' | 'dim', text: string) =>
    colors ? styleText(style, text, { validateStream: false }) : text
  const head = `${shorten(name, 24)} ${paint('green', bar)} ${ended}/${total}`
  const facts = [...countsOf(progress), ...paceOf(progress)].map((fact) => paint('dim', fact))
  const parts = [head, ...facts]
  if (failed > 0) parts.push(paint('red', `${failed} failed${failure ? `: ${failure}` : ''}`))
  return cut(parts.join('  '), columns - 1)
}

/** For a file or a pipe. */
export function plainLine({ name, id, progress, failure }: ProgressLine): string {
  const { total, done, failed } = progress
  const facts = [`${done + failed} of ${total} items`, ...countsOf(progress), ...paceOf(progress)]
  if (failed > 0) facts.push(`${failed} failed${failure ? `: ${failure}` : ''}`)
  return `farcall: ${name} (${id}): ${facts.join(', ')}`
}

function countsOf({ running, queued }: Progress): string[] {
  return [running > 0 ? `${running} running` : '', queued > 0 ? `${queued} queued` : ''].filter(Boolean)
}

function paceOf({ rate, left }: Progress): string[] {
  const pace = rate === undefined ? '' : rate >= 1 ? `${round(rate)}/s` : `${round(rate * 60)}/min`
  return [pace, left === undefined ? '' : `${formatSeconds(Math.ceil(left))} left`].filter(Boolean)
}

const round = (value: number) => (value >= 10 ? Math.round(value) : Math.round(value * 10) / 10)

const shorten = (text: string, most: number) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`)

/** Cut to so many columns; colors stand outside of what is counted. */
function cut(text: string, columns: number): string {
  if (stripVTControlCharacters(text).length <= columns) return text
  return `${stripVTControlCharacters(text).slice(0, Math.max(0, columns - 1))}…`
}
