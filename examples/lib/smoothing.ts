import type { Quake } from './catalogue.ts'

const earthRadius = 6371 // km
const day = 86_400_000 // ms

/** How well smoothed epicentres forecast the ones that were left out. */
export interface Score {
  /** Mean over the days of the information gain per earthquake over a uniform rate, in bits. */
  gain: number
  standardError: number
}

/**
 * Each day's earthquakes are forecast from those of the other days, spread out by a power-law kernel of a bandwidth
 * in km: Helmstetter, Kagan & Jackson (2007), Seismol. Res. Lett. 78, 78-86.
 */
export function crossValidate(quakes: readonly Quake[], bandwidth: number): Score {
  const start = Math.min(...quakes.map((quake) => quake.time))
  const fold = (quake: Quake) => Math.floor((quake.time - start) / day)
  const days = [...new Set(quakes.map(fold))]
  const uniform = Math.log(1 / areaOf(quakes))
  const gains = days.map((one) => {
    const train = quakes.filter((quake) => fold(quake) !== one)
    const test = quakes.filter((quake) => fold(quake) === one)
    const logs = test.map((quake) => Math.log(density(quake, train, bandwidth)) - uniform)
    return mean(logs) / Math.LN2
  })
  const gain = mean(gains)
  const variance = gains.reduce((sum, one) => sum + (one - gain) ** 2, 0) / (gains.length - 1)
  return { gain, standardError: Math.sqrt(variance / gains.length) }
}

/** Per square km, at the place of a quake. */
function density(at: Quake, quakes: readonly Quake[], bandwidth: number): number {
  let sum = 0
  for (const quake of quakes) sum += (distance(at, quake) ** 2 + bandwidth ** 2) ** -1.5
  return (sum * bandwidth) / (2 * Math.PI * quakes.length)
}

function distance(one: Quake, other: Quake): number {
  const haversine =
    Math.sin(radians(other.latitude - one.latitude) / 2) ** 2 +
    Math.cos(radians(one.latitude)) *
      Math.cos(radians(other.latitude)) *
      Math.sin(radians(other.longitude - one.longitude) / 2) ** 2
  return 2 * earthRadius * Math.asin(Math.sqrt(haversine))
}

/** Of the box of latitude and longitude around all epicentres, in square km. */
function areaOf(quakes: readonly Quake[]): number {
  const longitudes = quakes.map((quake) => radians(quake.longitude))
  const heights = quakes.map((quake) => Math.sin(radians(quake.latitude)))
  const range = (values: number[]) => Math.max(...values) - Math.min(...values)
  return earthRadius ** 2 * range(longitudes) * range(heights)
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
