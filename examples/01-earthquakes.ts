// One week of earthquakes in California and Nevada. How steep is Gutenberg and Richter's law there (the b-value), with
// what uncertainty? And how far around an epicentre should one expect the next earthquakes?
//
//   npm run example                          here
//   FARCALL_PROFILE=hpc npm run example      on the cluster that farcall.config.* calls hpc
import { mkdirSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cluster, type JobArray } from 'farcall'
import { readCatalogue } from './lib/catalogue.ts'
import { drawEarthquakes } from './lib/earthquakes-figure.ts'
import { completeness, fitMagnitudes, slopeAbove } from './lib/magnitudes.ts'
import { interval, resample, seededRandom } from './lib/random.ts'
import { crossValidate } from './lib/smoothing.ts'

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: '40' },
    out: { type: 'string', default: fileURLToPath(new URL('out', import.meta.url)) },
  },
})
const replicatesPerSeed = 50
const bandwidths = [0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 30] // km

const quakes = readCatalogue(['ci', 'nc', 'nn'])
const magnitudes = quakes.map((quake) => quake.magnitude)

// A plain function: wrap it. It takes along what it mentions: imported functions, and the values of `magnitudes`.
const bootstrap = cluster({ cores: 1, memory: '512MB', time: '5m' }, (seed: number) => {
  const random = seededRandom(seed)
  const fits = Array.from({ length: replicatesPerSeed }, () => fitMagnitudes(resample(magnitudes, random)))
  return { host: hostname(), fits }
})

// A method: decorate it.
class Smoothing {
  @cluster({ cores: 1, memory: '512MB', time: '5m' })
  static async score(bandwidth: number) {
    return { host: hostname(), bandwidth, ...crossValidate(quakes, bandwidth) }
  }
}

const seeds = Array.from({ length: Number(options.seeds) }, (_, index) => index + 1)
const start = performance.now()
const batches = bootstrap.map(seeds) // one array job
const [results, scores] = await Promise.all([
  batches,
  Promise.all(bandwidths.map((bandwidth) => Smoothing.score(bandwidth))), // made together: one array job too
  showProgress(batches),
])

const fit = fitMagnitudes(magnitudes)
const replicates = results.flatMap((result) => result.fits)
const best = scores.reduce((one, other) => (other.gain > one.gain ? other : one))
const above = completeness(fit)
const classical = slopeAbove(magnitudes, Math.round(above * 10) / 10)

const b = interval(replicates.map((replicate) => replicate.b))
const mc = interval(replicates.map(completeness))
console.log(`${quakes.length} earthquakes, ${replicates.length} bootstrap replicates

                                  estimate   95 % interval
b-value                           ${cell(fit.b)}   ${range(b)}
magnitude of completeness         ${cell(above)}   ${range(mc)}
b-value, only M ≥ ${above.toFixed(1)} (Aki 1965)   ${cell(classical.b)}   ${range(classical.interval)}

bandwidth, km   information gain, bits per earthquake`)
for (const score of scores)
  console.log(
    `${String(score.bandwidth).padStart(13)}   ${score.gain.toFixed(2)} ± ${score.standardError.toFixed(2)}${score === best ? '  best' : ''}`,
  )

mkdirSync(options.out, { recursive: true })
const file = `${options.out}/earthquakes.svg`
writeFileSync(file, drawEarthquakes({ magnitudes, fit, replicates, interval: b, scores, best }))

const hosts = [...new Set([...results, ...scores].map(({ host }) => host))].sort()
console.log(`
figure    ${relative('', file)}
profile   ${process.env['FARCALL_PROFILE'] ?? 'default'}, job ${batches.id}
hosts     ${hosts.join(' ')}
seconds   ${((performance.now() - start) / 1000).toFixed(1)}`)

/** One line on stderr, written over while results come in; only on a terminal. */
async function showProgress(jobs: JobArray<unknown>): Promise<void> {
  if (!process.stderr.isTTY) return
  const draw = () => {
    const { done, total, running, queued } = jobs.progress
    const bar = '━'.repeat(Math.round((30 * done) / (total || 1))).padEnd(30, '╌')
    process.stderr.write(`\r${bar}  ${done} of ${total} done, ${running} running, ${queued} queued\x1b[K`)
  }
  const timer = setInterval(draw, 200)
  try {
    for await (const _ of jobs) draw()
  } finally {
    clearInterval(timer)
    process.stderr.write('\n')
  }
}

function cell(value: number): string {
  return value.toFixed(2).padStart(8)
}

function range([low, high]: readonly [number, number]): string {
  return `${low.toFixed(2)} to ${high.toFixed(2)}`
}
