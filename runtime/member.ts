import type { BundleModule } from '../src/core/bundle-module.ts'
import type { RecordKind } from '../src/core/pack.ts'
import type { ItemOutputs, JobSpec } from '../src/core/protocol.ts'
import type { TaskProgress } from '../src/core/task.ts'
import { LaunchError, type Place } from './arguments.ts'
import { readArguments } from './bundle.ts'
import { Checkpoints } from './checkpoints.ts'
import { elsewhereOf } from './elsewhere.ts'
import { loadBundle, runItem } from './item.ts'
import { OutputError } from './output.ts'
import { Parents } from './parents.ts'
import type { Stage } from './stage.ts'
import type { Streams } from './streams.ts'
import { Tasks } from './tasks.ts'
import { offerThreads } from './threads.ts'
import { encodeThrown } from './values.ts'

/** What there is to do, and whom to tell. */
export interface Member {
  readonly place: Place
  readonly spec: JobSpec
  /** The bundle's. */
  readonly path: string
  /** Those that have no record yet. */
  readonly items: readonly number[]
  readonly files: Stage
  readonly streams: Streams
  /** Its time begins. */
  begin(item: number): void
  /** `outputs`: what the item left, told by another process. @throws OutputError */
  record(kind: RecordKind, item: number, bytes: readonly Uint8Array[], outputs?: ItemOutputs): void
  /** What an item threw, before its record. */
  threw(error: unknown): void
  progress(item: number, progress: TaskProgress): void
  /** Ends this attempt in favour of the next one; returns where there will be none. */
  leave(why: string): void
}

/** Runs the items one after the other in this process. */
export async function runHere(member: Member): Promise<void> {
  const { place, spec, path, items, files, streams, begin, record, threw, progress, leave } = member
  const [first = 0, last = first] = [items[0], items.at(-1)]
  // Those in between that have a record are read as well: they lie in one piece.
  const { values, items: args } = readArguments(place, first, items.length > 0 ? last + 1 : first)
  const elsewhere = elsewhereOf(place, spec)
  const tasks = new Tasks(place, spec, progress)
  let bundle: BundleModule | undefined
  const fail = (item: number, error: unknown) => {
    threw(error)
    record('error', item, [encodeThrown(bundle, error)])
  }
  // What stands at the top level of the user's modules may ask, too.
  tasks.begin(first)
  try {
    bundle = await loadBundle(place, spec, path, elsewhere, values)
  } catch (error) {
    if (error instanceof LaunchError) throw error
    // The user's own top-level code threw: so does each call.
    for (const item of items) fail(item, error)
    return
  }
  offerThreads(bundle, path, process.argv.slice(2), elsewhere)
  const parents = new Parents(place, spec)
  const checkpoints = new Checkpoints(place, spec, bundle, elsewhere, leave)
  for (const item of items) {
    tasks.begin(item)
    const yields = await streams.begin(item)
    checkpoints.begin(item, yields)
    begin(item)
    try {
      files.begin(item)
      const keep = (result: Uint8Array[]) => {
        files.end(item, false)
        streams.end()
        record('value', item, result)
      }
      await runItem(bundle, args[item - first]!, elsewhere, parents, files, keep, yields)
    } catch (error) {
      if (error instanceof OutputError || error instanceof LaunchError) throw error
      files.end(item, true)
      streams.end()
      fail(item, error)
    }
    checkpoints.done()
  }
}
