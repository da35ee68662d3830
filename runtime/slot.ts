/** Runs items of a member in a process of its own, one at a time, as the member asks. */
import { rmSync, writeFileSync } from 'node:fs'
import type { BundleModule } from '../src/core/bundle-module.ts'
import type { RecordKind } from '../src/core/pack.ts'
import type { ItemOutputs } from '../src/core/protocol.ts'
import type { TaskProgress } from '../src/core/task.ts'
import { LaunchError, type Place, readSpec } from './arguments.ts'
import { readArguments } from './bundle.ts'
import { Checkpoints } from './checkpoints.ts'
import { elsewhereOf } from './elsewhere.ts'
import { watchExit } from './exits.ts'
import { bundlePath, loadBundle, runItem } from './item.ts'
import { OutputError, writeWhole } from './output.ts'
import { Parents } from './parents.ts'
import { canRequeue, requeueCode } from './requeue.ts'
import {
  type FromSlot,
  type LastWords,
  messageLimit,
  slotFiles,
  slotVariable,
  type ToSlot,
} from './slot-messages.ts'
import { Stage } from './stage.ts'
import { Streams } from './streams.ts'
import { Tasks } from './tasks.ts'
import { offerThreads } from './threads.ts'
import { encodeThrown } from './values.ts'

// Taken before user code can replace it.
const { setTimeout } = globalThis
const exit = process.exit.bind(process)
/** Between two messages about progress; the member itself tells the client less often. */
const progressMs = 500

/** The slot's number; undefined in a process that is none. */
export const ownSlot = process.env[slotVariable]
delete process.env[slotVariable]

export async function runSlot(place: Place, slot: number): Promise<void> {
  // The channel to the member is not the user's.
  const send = process.send!.bind(process) as (message: FromSlot) => boolean
  const channel = process.channel!
  Reflect.deleteProperty(process, 'send')
  const lastWords = (words: LastWords) =>
    writeFileSync(slotFiles.lastWords(place.run, slot), JSON.stringify(words), { mode: 0o600 })
  let streams: Streams | undefined
  const watch = watchExit((ended) => {
    streams?.close()
    lastWords({ ended })
  })
  process.on('disconnect', () => {
    // The member is gone, or wants no more.
    watch.finished()
    exit(0)
  })
  const spec = readSpec(place)
  const stream = new Streams(place, spec)
  streams = stream
  const tell = throttled((item: number, progress: TaskProgress) => send({ kind: 'progress', item, progress }))
  const tasks = new Tasks(place, spec, tell)
  const elsewhere = elsewhereOf(place, spec)
  let bundle: BundleModule | undefined
  let broken: { error: unknown } | undefined
  const path = await bundlePath(place, spec)
  const leave = (why: string) => {
    if (!canRequeue(spec, process.env)) return
    watch.finished()
    stream.close()
    lastWords({ leave: why })
    exit(requeueCode)
  }
  let checkpoints: Checkpoints | undefined
  const parents = new Parents(place, spec)
  let outputs: ItemOutputs | undefined
  const files = new Stage(place, spec, new Set(), (line) => {
    outputs = line
  })

  const run = async (item: number): Promise<void> => {
    outputs = undefined
    tasks.begin(item)
    if (!bundle && !broken)
      try {
        bundle = await loadBundle(place, spec, path, elsewhere)
        offerThreads(bundle, path, process.argv.slice(2), elsewhere)
        checkpoints = new Checkpoints(place, spec, bundle, elsewhere, leave)
      } catch (error) {
        if (error instanceof LaunchError) throw error
        // The user's own top-level code threw: so does each call.
        broken = { error }
      }
    const record = (kind: RecordKind, bytes: Uint8Array[]) => {
      const size = bytes.reduce((sum, part) => sum + part.byteLength, 0)
      const peakMemory = process.resourceUsage().maxRSS * 1024
      const large = size > messageLimit
      const file = slotFiles.result(place.run, item)
      try {
        if (large) writeWhole(`${file}.part`, file, bytes)
      } catch (error) {
        // A disk that is full then has room for saying so.
        rmSync(`${file}.part`, { force: true })
        throw new OutputError(`the result could not be written: ${(error as Error).message}`)
      }
      const yields = stream.end()
      const more = {
        ...(large ? {} : { bytes }),
        ...(outputs ? { outputs } : {}),
        ...(yields ? { yields } : {}),
      }
      send({ kind: 'record', item, record: kind, ...more, peakMemory })
    }
    const yields = await stream.begin(item)
    checkpoints?.begin(item, yields)
    try {
      if (broken) throw broken.error
      const [bytes] = readArguments(place, item, item + 1).items
      files.begin(item)
      const keep = (result: Uint8Array[]) => {
        files.end(item, false)
        record('value', result)
      }
      await runItem(bundle!, bytes!, elsewhere, parents, files, keep, yields)
    } catch (error) {
      if (error instanceof LaunchError || error instanceof OutputError) throw error
      // One that came from the top level has no folder of its own.
      if (!broken) files.end(item, true)
      record('error', [encodeThrown(bundle, error)])
    }
  }

  const take = async (message: ToSlot): Promise<void> => {
    // What it was asked before has its record now.
    checkpoints?.done()
    if ('over' in message) {
      watch.finished()
      return exit(0)
    }
    // While it runs, an event loop that has nothing to wait for ends the process, and that is told.
    channel.unref()
    try {
      await run(message.run)
    } finally {
      channel.ref()
    }
  }
  process.on('message', (message: ToSlot) => {
    take(message).catch((error: Error) => {
      watch.finished()
      if (error instanceof LaunchError) send({ kind: 'launch-failed', message: error.message })
      else if (error instanceof OutputError) send({ kind: 'output-failed', message: error.message })
      else {
        // The member waits for the record of an item that has none: it is told by this process's end.
        process.stderr.write(`farcall: ${error?.stack ?? error}\n`)
        try {
          lastWords({
            ended: { reason: 'exit-code', exitCode: 74, message: String(error?.message ?? error) },
          })
        } finally {
          exit(74)
        }
      }
    })
  })
  send({ kind: 'ready' })
}

function throttled<T extends unknown[]>(tell: (...args: T) => void): (...args: T) => void {
  let next = 0
  let waiting: T | undefined
  const now = () => {
    const args = waiting
    waiting = undefined
    next = performance.now() + progressMs
    if (args) tell(...args)
  }
  return (...args) => {
    const isWaiting = waiting !== undefined
    waiting = args
    const wait = next - performance.now()
    if (wait <= 0) now()
    else if (!isWaiting) setTimeout(now, wait).unref()
  }
}
