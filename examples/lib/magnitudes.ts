/**
 * The magnitudes of a catalogue: Gutenberg and Richter's law, times the chance that a network notices an earthquake,
 * a cumulative normal in magnitude. Ogata & Katsura (1993), Geophys. J. Int. 113, 727-738.
 */
export interface MagnitudeFit {
  /** The slope of Gutenberg and Richter's law. */
  b: number
  /** The magnitude at which half of the earthquakes are noticed, and the width of that transition. */
  mu: number
  sigma: number
}

/** The magnitude above which 97.7 % are noticed. */
export function completeness({ mu, sigma }: MagnitudeFit): number {
  return mu + 2 * sigma
}

/** Maximum likelihood. */
export function fitMagnitudes(magnitudes: readonly number[]): MagnitudeFit {
  const minusLogLikelihood = ([logBeta, mu, logSigma]: Point) => {
    const beta = Math.exp(logBeta)
    const sigma = Math.exp(logSigma)
    let sum = magnitudes.length * ((beta * sigma) ** 2 / 2 - logBeta)
    for (const m of magnitudes)
      sum += beta * (m - mu) - Math.log(Math.max(normalBelow((m - mu) / sigma), 1e-300))
    return sum
  }
  const [logBeta, mu, logSigma] = minimise(minusLogLikelihood, [Math.log(2), 1, Math.log(0.5)])
  return { b: Math.exp(logBeta) / Math.LN10, mu, sigma: Math.exp(logSigma) }
}

/** The share of noticed earthquakes that have this magnitude or a larger one. */
export function shareAbove(m: number, { b, mu, sigma }: MagnitudeFit): number {
  const beta = b * Math.LN10
  const z = (m - mu) / sigma
  const noticed = Math.exp(-beta * (m - mu) - (beta * sigma) ** 2 / 2) * normalBelow(z)
  return 1 - normalBelow(z + beta * sigma) + noticed
}

/**
 * The slope from the earthquakes above a magnitude alone, and the 95 % interval of its standard error:
 * Aki (1965), for magnitudes known to a tenth.
 */
export function slopeAbove(
  magnitudes: readonly number[],
  least: number,
): { b: number; interval: [number, number] } {
  const edge = least - 0.05
  const above = magnitudes.filter((m) => m >= edge)
  const excess = above.reduce((sum, m) => sum + m - edge, 0) / above.length
  const b = Math.LOG10E / excess
  const error = b / Math.sqrt(above.length)
  return { b, interval: [b - 1.96 * error, b + 1.96 * error] }
}

/** The cumulative normal distribution, to 7 digits (Abramowitz & Stegun 26.2.17). */
function normalBelow(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z))
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  const tail = 0.3989422804014327 * Math.exp((-z * z) / 2) * series
  return z > 0 ? 1 - tail : tail
}

type Point = [number, number, number]

/** Nelder and Mead's simplex in three dimensions. */
function minimise(f: (point: Point) => number, start: Point): Point {
  const vertex = (point: Point) => ({ point, value: f(point) })
  const simplex = [start, ...[0, 1, 2].map((k) => start.map((x, i) => (i === k ? x + 0.3 : x)) as Point)].map(
    vertex,
  )
  for (let step = 0; step < 400; step++) {
    simplex.sort((one, other) => one.value - other.value)
    const [best, , second, worst] = simplex as [Vertex, Vertex, Vertex, Vertex]
    if (worst.value - best.value < 1e-7) break
    const centre = [0, 1, 2].map(
      (i) => (simplex[0]!.point[i]! + simplex[1]!.point[i]! + simplex[2]!.point[i]!) / 3,
    )
    const along = (t: number) => vertex(centre.map((c, i) => c + t * (worst.point[i]! - c)) as Point)
    const reflected = along(-1)
    if (reflected.value < best.value) {
      const expanded = along(-2)
      simplex[3] = expanded.value < reflected.value ? expanded : reflected
    } else if (reflected.value < second.value) {
      simplex[3] = reflected
    } else {
      const contracted = along(reflected.value < worst.value ? -0.5 : 0.5)
      if (contracted.value < Math.min(reflected.value, worst.value)) simplex[3] = contracted
      else
        for (let k = 1; k < 4; k++)
          simplex[k] = vertex(simplex[k]!.point.map((x, i) => (x + best.point[i]!) / 2) as Point)
    }
  }
  return simplex.sort((one, other) => one.value - other.value)[0]!.point
}

interface Vertex {
  point: Point
  value: number
}
