import { completeness, type MagnitudeFit, shareAbove } from './magnitudes.ts'
import { band, dots, figure, legend, line, linear, logarithmic, mark, panel } from './plot.ts'
import { interval } from './random.ts'
import type { Score } from './smoothing.ts'

const blue = '#0072b2'
const orange = '#d55e00'

export interface Findings {
  magnitudes: readonly number[]
  fit: MagnitudeFit
  replicates: readonly MagnitudeFit[]
  interval: readonly [number, number]
  scores: readonly (Score & { bandwidth: number })[]
  best: Score & { bandwidth: number }
}

/** The figure of 01-earthquakes.ts: magnitudes on the left, the choice of a bandwidth on the right. */
export function drawEarthquakes(findings: Findings): string {
  return figure(1280, 580, [magnitudePanel(findings), bandwidthPanel(findings)])
}

function magnitudePanel({ magnitudes, fit, replicates, interval: [low, high] }: Findings): string {
  const x = linear([-0.5, 4], [90, 610], [0, 1, 2, 3, 4])
  const y = logarithmic([0.7, 2000], [500, 60], [1, 10, 100, 1000])
  const grid = Array.from({ length: 91 }, (_, index) => -0.5 + index / 20)
  const expected = (m: number, model: MagnitudeFit) => magnitudes.length * shareAbove(m, model)
  const ranges = grid.map((m) => interval(replicates.map((replicate) => expected(m, replicate))))
  const bins = [...new Set(magnitudes.map((m) => Math.floor(m * 10) / 10))]
  const observed = bins.map((m) => [m, magnitudes.filter((one) => one >= m).length] as const)
  const labels = { title: 'How large: magnitudes', x: 'Magnitude M', y: 'Earthquakes of magnitude M or more' }
  return panel(x, y, labels, [
    band(
      x,
      y,
      grid.map((m, k) => [m, ranges[k]![0]]),
      grid.map((m, k) => [m, ranges[k]![1]]),
      blue,
    ),
    mark(x, y, completeness(fit), 'magnitude of completeness'),
    line(
      x,
      y,
      grid.map((m) => [m, expected(m, fit)]),
      blue,
    ),
    dots(x, y, observed, '#333'),
    legend(104, 404, 320, [
      ['dot', '#333', `${magnitudes.length} earthquakes, one week`],
      ['line', blue, `b = ${fit.b.toFixed(2)}, 95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}`],
      ['band', blue, `95 % of ${replicates.length.toLocaleString('en-GB')} bootstrap replicates`],
    ]),
  ])
}

function bandwidthPanel({ scores, best }: Findings): string {
  const widths = scores.map(({ bandwidth }) => bandwidth)
  const x = logarithmic(
    [Math.min(...widths) / 1.15, Math.max(...widths) * 1.15],
    [740, 1250],
    [0.3, 1, 3, 10, 30],
  )
  const y = linear([2.5, 6.5], [500, 60], [3, 4, 5, 6])
  const labels = {
    title: 'Where: the bandwidth of smoothed epicentres',
    x: 'Bandwidth, km',
    y: 'Information gain, bits per earthquake',
  }
  return panel(x, y, labels, [
    band(
      x,
      y,
      scores.map((score) => [score.bandwidth, score.gain - score.standardError]),
      scores.map((score) => [score.bandwidth, score.gain + score.standardError]),
      orange,
    ),
    mark(x, y, best.bandwidth, `best: ${best.bandwidth} km`),
    line(
      x,
      y,
      scores.map((score) => [score.bandwidth, score.gain]),
      orange,
    ),
    dots(
      x,
      y,
      scores.map((score) => [score.bandwidth, score.gain]),
      orange,
      4.5,
    ),
    legend(754, 428, 320, [
      ['line', orange, 'each day forecast from the other days'],
      ['band', orange, '± one standard error over the days'],
    ]),
  ])
}
