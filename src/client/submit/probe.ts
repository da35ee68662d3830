import { systemClock } from '../../core/clock.ts'
import { newJobId } from '../../core/ids.ts'
import type { ClusterOptions } from '../options/options.ts'
import type { Settings } from '../options/settings.ts'
import { splitOptions } from '../options/split-options.ts'
import { functionKey, itemTimeOf } from '../outcome/item-time.ts'
import { recorderOf } from '../submission/recorder.ts'
import { Submission } from '../submission/submission.ts'
import { functionOf, placeOf } from './spec.ts'
import type { Request } from './submit.ts'
import { isHere, missingHere } from './where.ts'

/** So many items are tried, each for so many seconds at most. */
export const trial = { items: 3, seconds: 5 }

/** Whether a map begins with a trial of its first items on this machine. */
export function isProbed(
  {
    snapshot,
    options,
    inputs,
  }: Pick<Request, 'snapshot' | 'options'> & { readonly inputs?: Request['inputs'] },
  items: number,
  { profile, name, storeDir }: Settings,
): boolean {
  const { probe, chunk, stage } = splitOptions(options)
  if (!probe || chunk !== 'auto' || stage !== undefined || items <= trial.items || isHere(profile))
    return false
  // What waits for other jobs is not tried before them.
  if (inputs?.parents.some((some) => some.length > 0)) return false
  const at = placeOf(profile, options)
  if (missingHere(at.resources, at.environment) !== undefined) return false
  const { store } = recorderOf(storeDir)
  return itemTimeOf(store, functionKey(functionOf(snapshot)), name) === undefined
}

/**
 * Runs the first items of a map on this machine, and throws their results away: what they took is then on record. An item
 * that fails here tells nothing; where it belongs, it may not.
 */
export async function tryFirst(
  asked: Request,
  settings: Settings,
  run: (submission: Submission, request: Promise<Request>) => Promise<unknown>,
): Promise<void> {
  const { inputs, options } = asked
  const submission = new Submission(newJobId())
  const indices = Array.from({ length: trial.items }, (_, index) => index)
  for (const _ of indices) submission.add({})
  const first = {
    entries: inputs.entries.slice(0, trial.items),
    files: inputs.files.slice(0, trial.items),
    shared: inputs.shared,
    repeated: inputs.repeated,
    parents: [],
  }
  const here: ClusterOptions = {
    ...options,
    localThreshold: trial.items,
    chunk: 1,
    time: trial.seconds,
    retry: 0,
    cache: false,
    probe: false,
  }
  try {
    await run(submission, Promise.resolve({ ...asked, inputs: first, options: here }))
    await submission.over.promise
    // Their ends come with the results, or right after them.
    const ends = Promise.all(indices.map((index) => submission.whenMeasured(index)))
    await Promise.race([ends, systemClock.sleep(2_000)])
    recorderOf(settings.storeDir).flush()
  } catch (error) {
    process.emitWarning(`farcall: probe: items could not be tried on this machine: ${String(error)}`)
  }
}
