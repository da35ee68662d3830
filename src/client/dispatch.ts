import type { Snapshot } from '../capture/types.ts'
import { blobOf } from '../core/blob.ts'
import { answerFromCache } from './front.ts'
import { here, nodeAt, oldestNode } from './node-seen.ts'
import { type ClusterOptions, splitOptions } from './options.ts'
import { packageChoices } from './packages.ts'
import { recorderOf } from './recorder.ts'
import { type Session, sessionFor } from './session.ts'
import { settingsFor } from './settings.ts'
import { makeSpec, placeOf } from './spec.ts'
import { stageFor } from './stage.ts'
import type { Submission } from './submission.ts'
import { abandoning, type Request, submit } from './submit.ts'

/** Submits. Rejects, and so do all items, when that is not possible. */
export async function dispatch(submission: Submission, request: Promise<Request>): Promise<Session> {
  return abandoning(submission, async () => {
    const asked = await request
    const { options } = asked
    const settings = await settingsFor(options.profile)
    const session = await sessionFor(settings.profile)
    // A map over nothing: its result is known.
    if (asked.entries.length === 0) return session
    const { cache } = splitOptions(options)
    // A call is the same wherever it runs: code that is to be found again is compiled for all of them.
    const at = placeOf(settings.profile, options)
    const node = cache ? oldestNode : nodeAt(at, here())
    const making = asked.snapshot.bundle(node, packageChoices(at))
    // Connecting takes longest; a call that may be known needs no connection yet. Submitting opens it too, and tells.
    if (!cache) session.executor.open().catch(() => {})
    const recorder = recorderOf(settings.storeDir)
    const bundle = await making
    const stage = await stageFor(splitOptions(options).stage, new Set(asked.files.flat()), asked.cwd)
    const prepared = { ...asked, settings, session, recorder, bundle, stage, node }
    if (cache) await answerFromCache(submission, prepared)
    else await submit(submission, prepared, [])
    return session
  })
}

/** The script that would be submitted for one input. */
export async function renderOnly(id: string, snapshot: Snapshot, options: ClusterOptions): Promise<string> {
  const { profile } = await settingsFor(options.profile)
  const session = await sessionFor(profile)
  const at = placeOf(profile, options)
  const compiledFor = nodeAt(at, here())
  const bundle = blobOf((await snapshot.bundle(compiledFor, packageChoices(at))).code, 'mjs')
  const rest = { bundle, compiledFor, client: session.client, items: 1, map: false }
  return session.executor.script(makeSpec(id, snapshot, at, options, session.executor.traits, rest))
}
