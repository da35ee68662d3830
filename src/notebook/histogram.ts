import { Html, html } from './html.ts'

const bins = 30
const [width, height, gap] = [480, 72, 1]

/**
 * How many lie where, from 0 to the most or the limit, with a line at the limit. `words` says what a number is.
 * One number makes no picture.
 */
export function histogram(values: readonly number[], words: (value: number) => string, limit?: number): Html {
  if (values.length < 2) return new Html('')
  const most = values.reduce((a, b) => Math.max(a, b), 0)
  // A limit far away would press all into one bar.
  const isNear = limit !== undefined && limit <= 4 * most
  const end = Math.max(most, isNear ? limit : 0) || 1
  const counts = new Array<number>(bins).fill(0)
  for (const value of values) counts[Math.min(bins - 1, Math.floor((value / end) * bins))]!++
  const highest = counts.reduce((a, b) => Math.max(a, b))
  const step = width / bins
  const bars = counts.flatMap((count, n) => {
    if (count === 0) return []
    const tall = Math.max(2, Math.round((count / highest) * height))
    const range = `${words((n * end) / bins)} to ${words(((n + 1) * end) / bins)}`
    return [
      html`<rect x="${n * step}" y="${height - tall}" width="${step - gap}" height="${tall}" fill="#1a73e8"><title>${count}: ${range}</title></rect>`,
    ]
  })
  const at = isNear ? Math.min(width - 1, (limit / end) * width) : undefined
  const line =
    at === undefined
      ? ''
      : html`<rect x="${at}" y="0" width="1" height="${height}" fill="#d93025"><title>limit: ${words(limit!)}</title></rect>`
  const axis = `0 to ${words(end)}${limit === undefined || isNear ? '' : `, the limit is ${words(limit)}`}`
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" role="img" style="border-bottom:1px solid #9aa0a6">${bars}${line}</svg><div>${axis}</div>`
}
