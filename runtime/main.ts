/** Runs one member of a job: its items in order, a record for each, then `end`. Started by job.sh. */
import { writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { type FailedCommand, failedCommandKey } from '../src/core/command.ts'
import { type JobSpec, type MemberEnd, memberItems, protocolVersion } from '../src/core/protocol.ts'
import { LaunchError, readPlace, readSpec } from './arguments.ts'
import { keepEarlier } from './earlier.ts'
import { watchExit } from './exits.ts'
import { interpreterFacts } from './interpreter.ts'
import { bundlePath } from './item.ts'
import { multipleFlag, takeRank } from './launchers.ts'
import { type Member, runHere } from './member.ts'
import { Meter } from './meter.ts'
import { OutputError, openOutput } from './output.ts'
import { ProgressReports } from './progress.ts'
import { canRequeue, requeueCode, requeueFile } from './requeue.ts'
import { ownSlot, runSlot } from './slot.ts'
import { Stage } from './stage.ts'
import { Stopwatch } from './stopwatch.ts'
import { Streams } from './streams.ts'
import { noteSurroundings } from './surroundings.ts'
import { isThread, runThread } from './thread.ts'

// Taken before user code can replace them: fake timers, a patched process.exit.
const exit = process.exit.bind(process)
const startedAt = Date.now()

// What few jobs need is loaded by those, with the parts of Node that it takes: each costs every job a millisecond or two.
const makePackagesFlag = '--make-packages'

async function main(): Promise<void> {
  // job.sh finds out that it was too old, from the missing out.pack.
  if (Number.parseInt(process.versions.node, 10) < 16) exit(1)
  if (process.argv[2] === makePackagesFlag) {
    const { makePackages } = await import('./make-packages.ts')
    await makePackages(process.argv[3]!)
    return
  }
  if (process.argv[2] === multipleFlag) {
    const { runMultiple } = await import('./multiple.ts')
    exit(await runMultiple(Number(process.argv[3]), process.argv.slice(4)))
  }
  const rank = takeRank(process.env)
  if (rank) {
    const { runRank } = await import('./rank.ts')
    return runRank(readPlace(process.argv.slice(2)), Number(process.argv[6]), rank)
  }
  const place = readPlace(process.argv.slice(2))
  const output = openOutput(place)
  let spec: JobSpec | undefined
  let failed = false
  let thrown = 0
  let command: MemberEnd['command']
  let reports: ProgressReports | undefined
  let stage: Stage | undefined
  let streams: Streams | undefined
  let environment: MemberEnd['environment']
  const stopwatch = new Stopwatch()
  const meter = new Meter(place, stopwatch)
  /** Processes other than this one that run the items. */
  let others: { readonly peakMemory: number; readonly cpuTime?: number } | undefined

  const finish = (how: Partial<MemberEnd>) => {
    const range = spec && memberItems(spec, place.member)
    reports?.close()
    const used = meter.read()
    output.close(spec?.client, {
      protocol: protocolVersion,
      id: place.id,
      attempt: place.attempt,
      member: place.member,
      ...how,
      bytes: output.bytes,
      thrown,
      ...(command ? { command } : {}),
      items: range ? range.to - range.from : 0,
      ...streams?.close(),
      ...(stage?.bytes === undefined ? {} : { outputs: stage.bytes }),
      host: hostname(),
      node: process.version,
      interpreter: interpreterFacts(),
      startedAt,
      endedAt: Date.now(),
      ...used,
      peakMemory: Math.max(used.peakMemory ?? 0, others?.peakMemory ?? 0),
      cpuTime: Math.max(used.cpuTime ?? 0, others?.cpuTime ?? 0),
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
      streams?.close()
      output.sync()
      writeFileSync(`${place.run}/${requeueFile}`, `${why}\n`, { mode: 0o600 })
    }
    exit(requeueCode)
  }

  try {
    spec = readSpec(place)
    environment = noteSurroundings(place, spec)
    const { from, to } = memberItems(spec, place.member)
    const path = await bundlePath(place, spec)
    const kept = await keepEarlier(place, spec, output)
    thrown = [...kept.values()].filter((kind) => kind === 'error').length
    failed = thrown > 0
    streams = new Streams(place, spec)
    for (const item of kept.keys()) await streams.keep(item)
    const skipped = (spec.skip ?? []).filter((item) => item >= from && item < to && !kept.has(item))
    stage = new Stage(place, spec, new Set(kept.keys()))
    const files = stage
    reports = new ProgressReports(place, spec)
    const member: Member = {
      place,
      spec,
      path,
      items: range(from, to).filter((item) => !kept.has(item) && !skipped.includes(item)),
      files,
      streams,
      begin: (item) => stopwatch.begin(item),
      record(kind, index, bytes, outputs) {
        if (kind === 'error') thrown++
        failed ||= kind === 'error'
        // What threw at once tells nothing of the others.
        if (kind === 'value') stopwatch.end(index)
        if (outputs) files.add(outputs)
        output.append({ kind, index, bytes })
        reports!.done(index)
      },
      threw(error) {
        command ??= failedCommandOf(error)
      },
      progress: reports.report,
      leave: leave(spec),
    }
    let end: Partial<MemberEnd> = {}
    if (spec.slots) {
      const { Slots } = await import('./slots.ts')
      const slots = new Slots(member, spec.slots)
      others = slots
      end = await slots.run()
    } else if (spec.ranks) {
      const { RankedItems } = await import('./ranks.ts')
      const ranked = new RankedItems(member, spec.ranks)
      others = ranked
      end = await ranked.run()
    } else await runHere(member)
    if (end.reason === undefined && skipped.length > 0) end = tookTooLong(skipped)
    failed ||= end.reason !== undefined
    watch.finished()
    finish(end)
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

function failedCommandOf(error: unknown): MemberEnd['command'] {
  if (!(error instanceof Error)) return undefined
  const failed = Reflect.get(error, failedCommandKey) as FailedCommand | undefined
  if (!failed) return undefined
  const { stderrTail: _, hint: __, ...how } = failed
  return how
}

/** For whoever has not followed the attempts before: what was left out has no record, and this is why. */
function tookTooLong(items: readonly number[]): Partial<MemberEnd> {
  const which = items.length === 1 ? `item ${items[0]}` : `items ${items.join(', ')}, each`
  return { reason: 'timeout', message: `${which} alone took longer than the time limit` }
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at)

if (isThread()) runThread()
else
  (ownSlot === undefined ? main() : runSlot(readPlace(process.argv.slice(2)), Number(ownSlot))).catch(
    (error) => {
      // Out of quota, a lost file system: job.sh reports it with these words, when it still can.
      process.stderr.write(`farcall: ${error?.stack ?? error}\n`)
      exit(74)
    },
  )
