import { expect } from 'vitest'
import { readCatalogue } from '../../examples/lib/catalogue.ts'
import { completeness, fitMagnitudes } from '../../examples/lib/magnitudes.ts'
import { interval, resample, seededRandom } from '../../examples/lib/random.ts'
import { crossValidate } from '../../examples/lib/smoothing.ts'
import type { Outcome } from './built.ts'

/** The table of 01-earthquakes.ts, read back. */
export function readTable(stdout: string) {
  const row = (name: string) => {
    const match = new RegExp(`^${name} +([\\d.]+) +([\\d.]+) to ([\\d.]+)$`, 'm').exec(stdout)
    if (!match) throw new Error(`no row '${name}' in:\n${stdout}`)
    return match.slice(1).map(Number) as [estimate: number, low: number, high: number]
  }
  const scores = [...stdout.matchAll(/^ +([\d.]+) {3}([\d.]+) ± ([\d.]+)( {2}best)?$/gm)]
  return {
    b: row('b-value'),
    completeness: row('magnitude of completeness'),
    scores: scores.map(([, bandwidth, gain, error]) => [bandwidth, gain, error].map(Number)),
    best: Number(scores.find(([, , , , best]) => best)?.[1]),
    hosts: /^hosts +(.+)$/m.exec(stdout)?.[1]?.split(' ') ?? [],
    profile: /^profile +(\S+), job f[a-z2-7]{13}$/m.exec(stdout)?.[1],
  }
}

/** The same numbers, computed here, without farcall. */
export function computeHere(
  seeds: number,
): Pick<ReturnType<typeof readTable>, 'b' | 'completeness' | 'scores'> {
  const quakes = readCatalogue(['ci', 'nc', 'nn'])
  const magnitudes = quakes.map(({ magnitude }) => magnitude)
  const fit = fitMagnitudes(magnitudes)
  const replicates = Array.from({ length: seeds }, (_, index) => {
    const random = seededRandom(index + 1)
    return Array.from({ length: 50 }, () => fitMagnitudes(resample(magnitudes, random)))
  }).flat()
  const shown = (...values: number[]) => values.map((value) => Number(value.toFixed(2)))
  const row = (estimate: number, values: number[]) =>
    shown(estimate, ...interval(values)) as [number, number, number]
  return {
    b: row(
      fit.b,
      replicates.map(({ b }) => b),
    ),
    completeness: row(completeness(fit), replicates.map(completeness)),
    scores: [0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 30].map((bandwidth) => {
      const { gain, standardError } = crossValidate(quakes, bandwidth)
      return [bandwidth, ...shown(gain, standardError)]
    }),
  }
}

/** What must hold of every run of 01-earthquakes.ts, wherever its jobs ran. */
export function expectFindings(outcome: Outcome, seeds: number): ReturnType<typeof readTable> {
  expect(outcome.stderr).toBe('')
  expect(outcome.code).toBe(0)
  const table = readTable(outcome.stdout)
  expect(table).toMatchObject(computeHere(seeds))
  const [b, low, high] = table.b
  expect(b).toBeGreaterThan(0.6)
  expect(b).toBeLessThan(1.2)
  expect(low).toBeLessThan(b)
  expect(high).toBeGreaterThan(b)
  expect(table.best).toBe(1)
  const svg = outcome.figure('earthquakes.svg')
  expect(svg).toContain(`b = ${b.toFixed(2)}, 95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}`)
  expect(svg).not.toMatch(/NaN|Infinity|undefined/)
  expectXml(svg)
  return table
}

/** Every element is closed in order, and nothing stands unescaped. */
function expectXml(text: string): void {
  const open: string[] = []
  const rest = text.replaceAll(
    /<(\/?)([a-zA-Z]+)((?: [\w:-]+="[^"<&]*")*)(\/?)>/g,
    (_, end, name, __, empty) => {
      if (end) expect(open.pop()).toBe(name)
      else if (!empty) open.push(name)
      return ''
    },
  )
  expect(open).toEqual([])
  expect(rest.replaceAll(/&(amp|lt|gt);/g, '')).not.toMatch(/[<>&]/)
}
