import type { Snapshot } from '../../capture/types.ts'
import { blobOf } from '../../core/blob.ts'
import { withMail } from '../notify/mail.ts'
import { prepareTelling } from '../notify/telling.ts'
import type { ClusterOptions } from '../options/options.ts'
import { type Asked, withDirectives } from '../options/script-directives.ts'
import { type Settings, settingsFor } from '../options/settings.ts'
import { splitOptions } from '../options/split-options.ts'
import { functionKey, itemTimeOf } from '../outcome/item-time.ts'
import { here, nodeAt, oldestNode } from '../payload/node-seen.ts'
import { packageChoices } from '../payload/packages.ts'
import type { Session } from '../session/session.ts'
import { sessionFor } from '../session/sessions.ts'
import { stageFor } from '../staging/stage.ts'
import { abandoning } from '../submission/abandoning.ts'
import { flushRecords, recorderOf } from '../submission/recorder.ts'
import type { Submission } from '../submission/submission.ts'
import { type FromParents, takeParents } from './chain.ts'
import { answerFromCache } from './front.ts'
import { MapPlan } from './map-plan.ts'
import { isProbed, tryFirst } from './probe.ts'
import { functionOf, makeSpec, placeOf, planFor } from './spec.ts'
import { type Request, recordJob, type Send } from './submit.ts'
import { whereToRun } from './where.ts'

/**
 * Submits. Rejects, and so do all items, when that is not possible. `turn`: has what is recorded wait until others are
 * sent.
 */
export async function dispatch(
  submission: Submission,
  request: Promise<Request>,
  turn: (send: Send) => Promise<void> = (send) => send(),
): Promise<Session> {
  const used: Session[] = []
  const sending = request.then((asked) => prepare(submission, asked, used))
  try {
    return await abandoning(
      submission,
      sending.then(async ({ session, send }) => {
        await turn(send)
        return session
      }),
    )
  } finally {
    for (const session of used) session.preparing--
  }
}

async function prepare(
  submission: Submission,
  asked: Request,
  used: Session[],
): Promise<{ session: Session; send: Send }> {
  const { settings, options, kept } = await whereToRun(
    asked.options,
    asked.total ?? asked.inputs.entries.length,
    asked.map,
  )
  const session = await sessionFor(settings.profile)
  // Whoever else leaves it meanwhile does not close it.
  session.preparing++
  used.push(session)
  // A map over nothing: its result is known.
  if (asked.inputs.entries.length === 0) return { session, send: async () => {} }
  submission.kept = kept
  await prepareTelling(submission, settings, options)
  const request = { ...asked, options }
  if (asked.map && isProbed(request, asked.inputs.entries.length, settings))
    await tryFirst(request, settings, dispatch)
  // Not in its turn, in which those that it waits for may have to be made ready.
  const fromParents = await takeParents(submission, request, session)
  return session.inTurn(() => prepareAt(settings, session, submission, request, fromParents))
}

async function prepareAt(
  written: Settings,
  session: Session,
  submission: Submission,
  request: Request,
  fromParents: FromParents,
): Promise<{ session: Session; send: Send }> {
  const { settings, options } = withScript(written, request.options, request.snapshot, session)
  const asked = { ...request, options }
  const { cache } = splitOptions(options)
  // A call is the same wherever it runs: code that is to be found again is compiled for all of them.
  const at = placeOf(settings.profile, options)
  const node = cache ? oldestNode : nodeAt(at, here())
  const recorder = recorderOf(settings.storeDir)
  // Nothing that may fail comes before it is awaited.
  const making = asked.snapshot.bundle(node, packageChoices(at))
  // Connecting takes longest; a call that may be known needs no connection yet. Submitting opens it too, and tells.
  if (!cache) session.executor.open().catch(() => {})
  const bundle = await making
  const { snapshot, inputs, cwd } = asked
  const own = snapshot.command && at.environment.cwd === undefined ? {} : undefined
  const stage = await stageFor(splitOptions(options).stage ?? own, new Set(inputs.files.flat()), cwd)
  const prepared = { ...asked, fromParents, settings, session, recorder, bundle, stage, node }
  const send = cache ? () => answerFromCache(submission, prepared) : await recordJob(submission, prepared, [])
  return { session, send }
}

/** What a map of so many items would be; nothing is sent, but for a question to the scheduler about its limits. */
export async function planOnly(snapshot: Snapshot, asked: ClusterOptions, items: number): Promise<MapPlan> {
  const { settings, options, kept, notKept } = await whereToRun(asked, items, true)
  const { executor } = await sessionFor(settings.profile)
  await executor.open()
  const at = placeOf(settings.profile, options)
  const { store } = recorderOf(settings.storeDir)
  flushRecords()
  const itemTime = itemTimeOf(store, functionKey(functionOf(snapshot)), settings.name)
  // Of a chunk that is asked for there may be several submissions.
  const most = await mostItems(asked, items)
  const { maxMembers: _, ...unlimited } = executor.traits
  const traits = items > most ? unlimited : executor.traits
  const { planned, slots } = planFor(items, at, options, traits, itemTime)
  const { timeSeconds } = at.resources
  const probed = isProbed({ snapshot, options }, items, settings)
  return new MapPlan({
    items,
    planned,
    itemTime,
    profile: settings.name,
    place: executor.name,
    kept,
    notKept,
    probed,
    timeSeconds,
    parallel: Math.min(slots?.count ?? 1, planned.chunk),
    most: Math.max(1, Math.min(most, items)),
  })
}

/**
 * Items that one submission takes. With `chunk: 'auto'` members are given as many as it needs.
 * @throws ConfigError, TransportError
 */
export async function mostItems(asked: ClusterOptions, total: number): Promise<number> {
  const { settings, options } = await whereToRun(asked, total, true)
  const { chunk } = splitOptions(options)
  if (chunk === 'auto') return Number.POSITIVE_INFINITY
  const { executor } = await sessionFor(settings.profile)
  await executor.open()
  const { maxMembers = Number.POSITIVE_INFINITY, maxSubmitted = Number.POSITIVE_INFINITY } = executor.traits
  return chunk * Math.min(maxMembers, maxSubmitted)
}

/** What a job script says for itself. @throws ConfigError OPTION_INVALID */
function withScript(
  settings: Settings,
  options: ClusterOptions,
  { command }: Snapshot,
  session: Session,
): Asked {
  const asked = { settings, options }
  const warn = (message: string) => process.emitWarning(`farcall: ${message}`)
  return command?.script ? withDirectives(asked, command.script, session.executor, warn) : asked
}

/** The script that would be submitted for one input. */
export async function renderOnly(id: string, snapshot: Snapshot, asked: ClusterOptions): Promise<string> {
  const written = await settingsFor(asked.profile)
  const mailed = withMail(asked, written.notify, written.profile.resources)
  const session = await sessionFor(written.profile)
  const { settings, options } = withScript(written, mailed, snapshot, session)
  const { profile } = settings
  const at = placeOf(profile, options)
  const compiledFor = nodeAt(at, here())
  const bundle = blobOf((await snapshot.bundle(compiledFor, packageChoices(at))).code, 'mjs')
  const rest = { bundle, compiledFor, client: session.client, items: 1, map: false }
  return session.executor.script(makeSpec(id, snapshot, at, options, session.executor.traits, rest))
}
