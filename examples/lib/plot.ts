/** A small set of means to draw a figure as SVG: scales, axes, lines, bands, points. */

export interface Scale {
  (value: number): number
  readonly domain: readonly [number, number]
  readonly ticks: readonly number[]
}

type Point = readonly [x: number, y: number]

const ink = '#222'
const faint = '#666'

export function linear(
  domain: readonly [number, number],
  range: readonly [number, number],
  ticks: readonly number[],
): Scale {
  const slope = (range[1] - range[0]) / (domain[1] - domain[0])
  return Object.assign((value: number) => range[0] + (value - domain[0]) * slope, { domain, ticks })
}

export function logarithmic(
  domain: readonly [number, number],
  range: readonly [number, number],
  ticks: readonly number[],
): Scale {
  const inner = linear([Math.log(domain[0]), Math.log(domain[1])], range, [])
  return Object.assign((value: number) => inner(Math.log(value)), { domain, ticks })
}

export interface Labels {
  title: string
  x: string
  y: string
}

/** One pair of axes; the drawing comes between grid and frame. */
export function panel(x: Scale, y: Scale, labels: Labels, drawing: readonly string[]): string {
  const [left, right] = [x(x.domain[0]), x(x.domain[1])]
  const [bottom, top] = [y(y.domain[0]), y(y.domain[1])]
  const clip = `clip-${left}-${top}`
  return [
    `<clipPath id="${clip}"><rect x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"/></clipPath>`,
    ...y.ticks.map((tick) => stroke(horizontal(left, right, y(tick)), '#e6e6e6', 1)),
    `<g clip-path="url(#${clip})">`,
    ...drawing,
    '</g>',
    stroke(horizontal(left, right, bottom), ink, 1.2),
    stroke(vertical(left, top, bottom), ink, 1.2),
    ...x.ticks.flatMap((tick) => [
      stroke(vertical(x(tick), bottom, bottom + 6), ink, 1.2),
      text(x(tick), bottom + 24, label(tick), { anchor: 'middle' }),
    ]),
    ...y.ticks.flatMap((tick) => [
      stroke(horizontal(left - 6, left, y(tick)), ink, 1.2),
      text(left - 11, y(tick) + 5, label(tick), { anchor: 'end' }),
    ]),
    text((left + right) / 2, bottom + 54, labels.x, { anchor: 'middle', size: 16 }),
    `<g transform="translate(${left - 58} ${(bottom + top) / 2}) rotate(-90)">`,
    text(0, 0, labels.y, { anchor: 'middle', size: 16 }),
    '</g>',
    text(left, top - 18, labels.title, { size: 18, weight: 600 }),
  ].join('\n')
}

export function line(x: Scale, y: Scale, points: readonly Point[], color: string, dash = ''): string {
  return stroke(
    points.map(([a, b]) => [x(a), y(b)]),
    color,
    2.4,
    dash,
  )
}

/** The area between two curves over the same x. */
export function band(
  x: Scale,
  y: Scale,
  low: readonly Point[],
  high: readonly Point[],
  color: string,
): string {
  const outline = [...low, ...[...high].reverse()].map(([a, b]) => [x(a), y(b)] as const)
  return `<path d="${path(outline)}Z" fill="${color}" fill-opacity="0.2"/>`
}

export function dots(x: Scale, y: Scale, points: readonly Point[], color: string, radius = 3.6): string {
  return points
    .map(
      ([a, b]) =>
        `<circle cx="${round(x(a))}" cy="${round(y(b))}" r="${radius}" fill="${color}" stroke="#fff" stroke-width="0.8"/>`,
    )
    .join('')
}

/** An upright line at one x, with a word beside it. */
export function mark(x: Scale, y: Scale, at: number, word: string): string {
  const [bottom, top] = [y(y.domain[0]), y(y.domain[1])]
  const words = text(x(at) + 8, top + 18, word, { color: faint })
  return stroke(vertical(x(at), bottom, top), faint, 1.2, '4 4') + words
}

type Entry = readonly [sample: 'line' | 'dot' | 'band', color: string, words: string]

/** A sample and what it stands for, one below the other. */
export function legend(left: number, top: number, width: number, entries: readonly Entry[]): string {
  const rows = entries.map(([sample, color, words], row) => {
    const y = top + 16 + row * 24
    const shapes = {
      line: () => stroke(horizontal(left + 8, left + 34, y), color, 2.4),
      dot: () => `<circle cx="${left + 21}" cy="${y}" r="4.5" fill="${color}"/>`,
      band: () =>
        `<rect x="${left + 8}" y="${y - 7}" width="26" height="14" fill="${color}" fill-opacity="0.2"/>`,
    }
    return shapes[sample]() + text(left + 44, y + 5, words)
  })
  const height = entries.length * 24 + 8
  return `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="#fff"/>${rows.join('')}`
}

function horizontal(from: number, to: number, y: number): Point[] {
  return [
    [from, y],
    [to, y],
  ]
}

function vertical(x: number, from: number, to: number): Point[] {
  return [
    [x, from],
    [x, to],
  ]
}

export interface TextStyle {
  anchor?: 'start' | 'middle' | 'end'
  size?: number
  weight?: number
  color?: string
}

export function text(x: number, y: number, words: string, style: TextStyle = {}): string {
  const { anchor = 'start', size = 14, weight = 400, color = ink } = style
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-size="${size}" font-weight="${weight}" fill="${color}">${escaped(words)}</text>`
}

export function figure(width: number, height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="Helvetica, Arial, sans-serif">
<rect width="${width}" height="${height}" fill="#fff"/>
${parts.join('\n')}
</svg>
`
}

function stroke(points: readonly Point[], color: string, width: number, dash = ''): string {
  const dashes = dash === '' ? '' : ` stroke-dasharray="${dash}"`
  return `<path d="${path(points)}" fill="none" stroke="${color}" stroke-width="${width}" stroke-linejoin="round"${dashes}/>`
}

function path(points: readonly Point[]): string {
  return points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join('')
}

function label(value: number): string {
  return value.toLocaleString('en-GB').replace('-', '\u2212')
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
