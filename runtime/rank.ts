/** One of the processes that run an item together: its part of it, told in a file. */
import { hostname } from 'node:os'
import type { BundleModule } from '../src/core/bundle-module.ts'
import { sizeOf } from '../src/core/launcher.ts'
import { LaunchError, type Place, readSpec } from './arguments.ts'
import { readArguments } from './bundle.ts'
import { Checkpoints } from './checkpoints.ts'
import { elsewhereOf } from './elsewhere.ts'
import { watchExit } from './exits.ts'
import { bundlePath, loadBundle, runItem } from './item.ts'
import { cpuSeconds } from './meter.ts'
import { OutputError } from './output.ts'
import { Parents } from './parents.ts'
import { ProgressReports } from './progress.ts'
import { listRanks, type RankKind, type RankWords, readRank, writeRank } from './rank-files.ts'
import { canRequeue } from './requeue.ts'
import { Stage } from './stage.ts'
import { type Rank, Tasks } from './tasks.ts'
import { offerThreads } from './threads.ts'
import { decodeWith, encodeResult, encodeThrown } from './values.ts'

// Taken before user code can replace it.
const { setTimeout } = globalThis
const exit = process.exit.bind(process)

/** Between two looks at whether all ranks have their values, milliseconds. */
const [soonMs, latestMs] = [10, 500]

export async function runRank(place: Place, item: number, own: Rank): Promise<void> {
  const { rank } = own
  const { run } = place
  const tell = (kind: RankKind, more: Partial<RankWords> = {}, bytes: readonly Uint8Array[] = []) => {
    const peakMemory = process.resourceUsage().maxRSS * 1024
    writeRank(
      run,
      { item, rank, kind },
      { host: hostname(), peakMemory, cpuTime: cpuSeconds(), ...more },
      bytes,
    )
  }
  const watch = watchExit((ended) => tell('ended', { ended }))
  /** All that there is to say is said. Timers and sockets that the user's code left open keep nobody waiting. */
  const over = (code: number): void => {
    watch.finished()
    reports?.close()
    exit(code)
  }
  let reports: ProgressReports | undefined
  let bundle: BundleModule | undefined
  let stage: Stage | undefined
  try {
    const spec = readSpec(place)
    const size = sizeOf(spec.ranks!)
    if (own.size !== size)
      throw new LaunchError(
        `${spec.ranks!.launcher} started ${own.size} processes on ${hostname()}, and ${size} were asked for`,
      )
    const wanted = rank === 0 || spec.ranks!.gather === true
    reports = new ProgressReports(place, spec)
    const elsewhere = elsewhereOf(place, spec)
    // What the user watches is one of them.
    new Tasks(place, spec, rank === 0 ? reports.report : () => {}, own).begin(item)
    const path = await bundlePath(place, spec)
    bundle = await loadBundle(place, spec, path, elsewhere)
    offerThreads(bundle, path, process.argv.slice(2), elsewhere)
    const leave = (why: string) => {
      if (!canRequeue(spec, process.env)) return
      // No failure: the others are to save their state as well.
      tell('leave', { message: why })
      over(0)
    }
    new Checkpoints(place, spec, bundle, elsewhere, leave, rank).begin(item)
    stage = new Stage(place, spec, new Set(), () => {})
    stage.join(item)
    const [bytes] = readArguments(place, item, item + 1).items
    const publish = (value: readonly Uint8Array[]) => {
      try {
        tell('value', { given: stage!.given }, value)
      } catch (error) {
        throw new OutputError(`the result could not be written: ${(error as Error).message}`)
      }
    }
    const gathers = rank === 0 && spec.ranks!.gather === true
    let result: Uint8Array = new Uint8Array()
    const keep = (encoded: readonly Uint8Array[]) => {
      if (!gathers) publish(encoded)
      // A copy: the user's code may change the memory that they show.
      else result = Buffer.concat(encoded)
    }
    await runItem(bundle, bytes!, elsewhere, new Parents(place, spec), stage, keep, undefined, wanted)
    if (gathers) {
      const all = [result, ...(await valuesOfOthers(run, item, size))]
      publish(
        encodeResult(
          bundle,
          all.map((value) => decodeWith(bundle!, value, elsewhere)),
        ),
      )
    }
    over(0)
  } catch (error) {
    if (error instanceof LaunchError) tell('launch-failed', { message: error.message })
    else if (error instanceof OutputError) tell('output-failed', { message: error.message })
    else tell('error', { given: stage?.given ?? [] }, [encodeThrown(bundle, withRank(error, rank))])
    over(1)
  }
}

/** Of ranks 1 and on, once all have one. Where one fails, this process is ended from outside. */
async function valuesOfOthers(run: string, item: number, size: number): Promise<Uint8Array[]> {
  for (let wait = soonMs; ; wait = Math.min(latestMs, wait * 1.5)) {
    const values = listRanks(run, item).filter(({ kind }) => kind === 'value')
    if (values.length === size - 1) return values.map((file) => Buffer.concat(readRank(file).bytes))
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
}

/** As `index` tells of which item an error of a map is. */
function withRank(error: unknown, rank: number): unknown {
  if (error instanceof Error && Object.isExtensible(error) && !('rank' in error))
    Object.defineProperty(error, 'rank', {
      value: rank,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  return error
}
