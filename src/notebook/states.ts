import type { JobState } from '../core/status.ts'
import { Html, html } from './html.ts'

/** The same colors as on the dashboard of most schedulers: what waits is grey, what runs blue. */
const colors: Readonly<Record<JobState, string>> = {
  NEW: '#c8ccd1',
  QUEUED: '#9aa0a6',
  ACTIVE: '#1a73e8',
  COMPLETED: '#1e8e3e',
  FAILED: '#d93025',
  CANCELED: '#b06000',
}

export const chip = (state: JobState, text: string): Html =>
  html`<span style="color:${colors[state]};font-weight:600">${text}</span>`

/** Worse than what comes after it: what a square tells of that stands for several. */
const worst: readonly JobState[] = ['FAILED', 'CANCELED', 'ACTIVE', 'QUEUED', 'NEW', 'COMPLETED']

const side = 9
const perLine = 60
const mostSquares = 1_200

/** A square for each item, in the order of the inputs; for many items a square stands for several, with the worst of them. */
export function stateGrid(states: readonly JobState[]): Html {
  if (states.length === 0) return new Html('')
  const each = Math.ceil(states.length / mostSquares)
  const squares = Array.from({ length: Math.ceil(states.length / each) }, (_, n) => {
    const some = states.slice(n * each, (n + 1) * each)
    const state = worst.find((one) => some.includes(one))!
    const range = each === 1 ? `${n}` : `${n * each}–${n * each + some.length - 1}`
    const [x, y] = [(n % perLine) * side, Math.floor(n / perLine) * side]
    return html`<rect x="${x}" y="${y}" width="${side - 1}" height="${side - 1}" fill="${colors[state]}"><title>${range}: ${state}</title></rect>`
  })
  const width = Math.min(squares.length, perLine) * side
  const height = Math.ceil(squares.length / perLine) * side
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" role="img">${squares}</svg>`
}
