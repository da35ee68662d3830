/** Runs one member of a job: its items in order, a record for each, then `end`. Started by job.sh. */
import { writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { BundleModule } from '../src/core/bundle-module.ts'
import { type JobSpec, type MemberEnd, memberItems, protocolVersion } from '../src/core/protocol.ts'
import { LaunchError, readPlace, readSpec } from './arguments.ts'
import { importBundle, readArguments, verifiedBlob } from './bundle.ts'
import { Checkpoints } from './checkpoints.ts'
import { keepEarlier } from './earlier.ts'
import { guard, watchExit } from './exits.ts'
import { provideFiles } from './files.ts'
import { interpreterFacts } from './interpreter.ts'
import { makePackages, makePackagesFlag } from './make-packages.ts'
import { Meter } from './meter.ts'
import { OutputError, openOutput } from './output.ts'
import { bundleBeside, packagesFolder } from './packages.ts'
import { ProgressReports } from './progress.ts'
import { canRequeue, requeueCode, requeueFile } from './requeue.ts'
import { Stage } from './stage.ts'
import { noteSurroundings } from './surroundings.ts'
import { Tasks } from './tasks.ts'
import { isThread, runThread } from './thread.ts'
import { offerThreads } from './threads.ts'
import { decodeWith, encodeResult, encodeThrown } from './values.ts'

// Taken before user code can replace them: fake timers, a patched process.exit.
const { setImmediate } = globalThis
const exit = process.exit.bind(process)
const startedAt = Date.now()

async function main(): Promise<void> {
  // job.sh finds out that it was too old, from the missing out.pack.
  if (Number.parseInt(process.versions.node, 10) < 16) exit(1)
  if (process.argv[2] === makePackagesFlag) {
    await makePackages(process.argv[3]!)
    return
  }
  const place = readPlace(process.argv.slice(2))
  const output = openOutput(place)
  let spec: JobSpec | undefined
  let failed = false
  let reports: ProgressReports | undefined
  let stage: Stage | undefined
  let environment: MemberEnd['environment']
  const meter = new Meter(place)

  const finish = (how: Partial<MemberEnd>) => {
    const range = spec && memberItems(spec, place.member)
    reports?.close()
    output.close(spec?.client, {
      protocol: protocolVersion,
      id: place.id,
      attempt: place.attempt,
      member: place.member,
      ...how,
      bytes: output.bytes,
      items: range ? range.to - range.from : 0,
      ...(stage?.bytes === undefined ? {} : { outputs: stage.bytes }),
      host: hostname(),
      node: process.version,
      interpreter: interpreterFacts(),
      startedAt,
      endedAt: Date.now(),
      ...meter.read(),
      ...(environment ? { environment } : {}),
    })
  }
  const watch = watchExit(finish)

  /** Ends this attempt in favour of the next one, where there will be one. */
  const leave = (spec: JobSpec) => (why: string) => {
    const by = canRequeue(spec, process.env)
    if (!by) return
    watch.finished()
    if (by === 'client')
      finish({ reason: 'timeout', requeue: true, message: `it asked to be run again: ${why}` })
    else {
      output.sync()
      writeFileSync(`${place.run}/${requeueFile}`, `${why}\n`, { mode: 0o600 })
    }
    exit(requeueCode)
  }

  try {
    spec = readSpec(place)
    environment = noteSurroundings(place, spec)
    const { from, to } = memberItems(spec, place.member)
    const bundleFile = verifiedBlob(place, spec.bundle)
    const path = spec.packages
      ? bundleBeside(await packagesFolder(place, spec.packages), bundleFile)
      : bundleFile
    const { values, items } = readArguments(place, from, to)
    const kept = await keepEarlier(place, spec, output)
    failed = [...kept.values()].includes('error')

    stage = new Stage(place, spec, new Set(kept.keys()))
    const files = stage
    reports = new ProgressReports(place, spec)
    const tasks = new Tasks(place, spec, reports.report)
    let bundle: BundleModule | undefined
    const fail = (index: number, error: unknown) => {
      failed = true
      output.append({ kind: 'error', index, bytes: encodeThrown(bundle, error) })
    }
    // What stands at the top level of the user's modules may ask, too.
    tasks.begin(from)
    provideFiles()
    try {
      bundle = await guard(async () => {
        const loaded = await importBundle(path, spec!.compiledFor)
        loaded.setValues(decodeWith(loaded, values))
        return loaded
      })
    } catch (error) {
      if (error instanceof LaunchError) throw error
      // The user's own top-level code threw: so does each call.
      for (let index = from; index < to; index++) if (!kept.has(index)) fail(index, error)
    }
    if (bundle) {
      offerThreads(bundle, path, process.argv.slice(2))
      const checkpoints = new Checkpoints(place, spec, bundle, leave(spec))
      for (const [at, bytes] of items.entries()) {
        const index = from + at
        if (kept.has(index)) continue
        tasks.begin(index)
        checkpoints.begin(index)
        try {
          files.begin(index)
          await runItem(bundle, bytes, files, (result) => {
            files.end(index, false)
            output.append({ kind: 'value', index, bytes: result })
          })
        } catch (error) {
          if (error instanceof OutputError || error instanceof LaunchError) throw error
          files.end(index, true)
          fail(index, error)
        }
        checkpoints.done()
        reports.done(index)
      }
    }
    watch.finished()
    finish({})
  } catch (error) {
    watch.finished()
    failed = true
    if (error instanceof OutputError) finish({ reason: 'exit-code', message: error.message, exitCode: 74 })
    else if (error instanceof LaunchError) finish({ reason: 'launch-failed', message: error.message })
    else throw error
  }
  // Timers and sockets that the user's code left open keep nobody waiting.
  exit(failed ? 1 : 0)
}

/** `keep` is called before user code can run again, since the result shows memory of its own. */
function runItem(
  bundle: BundleModule,
  bytes: Uint8Array,
  files: Stage,
  keep: (result: Uint8Array[]) => void,
): Promise<void> {
  return guard(async () => {
    const call = files.paths(decodeWith(bundle, bytes)) as { self?: unknown; args: unknown[] }
    const value = await bundle.main.apply(call.self, call.args)
    // One turn, so that a rejection which nobody handles is found while this item is the one running.
    await new Promise((resolve) => setImmediate(resolve))
    keep(encodeResult(bundle, value))
  })
}

if (isThread()) runThread()
else
  main().catch((error) => {
    // Out of quota, a lost file system: job.sh reports it with these words, when it still can.
    process.stderr.write(`farcall: ${error?.stack ?? error}\n`)
    exit(74)
  })
