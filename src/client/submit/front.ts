import { systemClock } from '../../core/clock.ts'
import { FarcallError } from '../../core/errors.ts'
import { type JobId, newJobId } from '../../core/ids.ts'
import { sizeOf } from '../../core/launcher.ts'
import type { RecordKind } from '../../core/pack.ts'
import type { StageSpec } from '../../core/protocol.ts'
import { isFinal } from '../../core/status.ts'
import { isDead, thisProcess } from '../../store/owner.ts'
import type { CachedPlace, JobRecord, JobStore } from '../../store/types.ts'
import { splitOptions } from '../options/split-options.ts'
import { canceledBefore, failureOf } from '../outcome/failures.ts'
import { decodeOptions, outcomeOf } from '../outcome/outcome.ts'
import { readResult } from '../outcome/result-file.ts'
import { cacheKeys } from '../payload/cache-key.ts'
import { packageNames } from '../payload/packages.ts'
import type { Session } from '../session/session.ts'
import { takeUp } from '../session/take-up.ts'
import { abandoning } from '../submission/abandoning.ts'
import { alreadySealed, type Handle } from '../submission/handle.ts'
import type { Item } from '../submission/item.ts'
import { errorKey } from '../submission/recorder.ts'
import { Submission } from '../submission/submission.ts'
import { resolveRanks } from './ranks.ts'
import { placeOf } from './spec.ts'
import { type Prepared, recordJob } from './submit.ts'

/** One input of a front, and what makes it the same call as another. */
interface Call {
  readonly item: Item
  readonly key: string
  readonly entry: Uint8Array
}

/** A call that another job has. */
interface Joined extends Call {
  holder: JobId
}

/** Between two looks at the store, milliseconds: a job that was just submitted may be over soon. */
const looks = { first: 50, most: 1_000 }
/** Results that are read in one go; of calls that are still waited for, as many as may be asked for in vain. */
const batchSize = 200

/**
 * Answers the calls of a submission whose options say `cache`: those that are done from the store, those that run by
 * waiting for them, and the others by a job of their own.
 */
export async function answerFromCache(front: Submission, prepared: Prepared): Promise<void> {
  const { snapshot, bundle, inputs, options, settings, recorder } = prepared
  const { entries } = inputs
  if (front.canceling !== undefined) throw canceledBefore(front)
  front.front = true
  front.decoder = { classes: snapshot.classes(), map: bundle.map }
  const at = placeOf(settings.profile, options)
  const { environment } = at
  const ranks = resolveRanks(at, options, {})
  const facts = {
    bundle: bundle.hash,
    values: snapshot.values(),
    environment,
    packages: packageNames(bundle),
    ...(ranks ? { ranks: { size: sizeOf(ranks), gather: ranks.gather === true } } : {}),
    files: inputsOf(prepared.stage),
  }
  const keys = cacheKeys(facts, entriesWithFiles(prepared, entriesWithValues(prepared)))
  const calls = front.items.flatMap((item, i): Call[] =>
    isFinal(item.status.state) ? [] : [{ item, key: keys[i]!, entry: entries[i]! }],
  )
  if (splitOptions(options).force) return run(front, prepared, front.id, calls)
  recorder.flush()
  const { won, joined, cached } = claim(recorder.store, front.id, calls)
  const waiting = [...joined, ...deliver(front, recorder.store, cached)]
  if (waiting.length > 0)
    void waitFor(front, prepared, waiting).catch((error) => {
      for (const { item } of waiting) refuse(front, item, error)
    })
  if (won.length === 0) return
  const running = run(front, prepared, front.id, won)
  // What others answer does not depend on it; its own items tell of a failure.
  await (won.length === calls.length ? running : running.catch(() => {}))
}

/** Inputs that all calls have. */
function inputsOf(stage: StageSpec | undefined): Map<string, string> {
  const shared = (stage?.in ?? []).filter(({ argument }) => argument === undefined)
  return new Map(shared.map(({ path, blob }) => [path, blob.sha256]))
}

/** With the values of jobs among their arguments, whose ids are others in each program. */
function entriesWithValues({ inputs: { entries, parents }, fromParents }: Prepared): readonly Uint8Array[] {
  const { sent = [], arrays = {} } = fromParents.spec ?? {}
  const values = new Map(sent.map((key, at) => [key, fromParents.sent[at]!]))
  return entries.map((entry, at) => {
    const own = parents[at]!
    if (own.length === 0) return entry
    let text = Buffer.from(entry).toString('latin1')
    for (const [number, { key }] of own.entries()) text = text.replaceAll(key, `${number}`)
    const used = own.flatMap(({ key }) => arrays[key] ?? [key.endsWith(']') ? key : `${key}[0]`])
    return Buffer.concat([Buffer.from(text, 'latin1'), ...used.flatMap((key) => values.get(key) ?? [])])
  })
}

/** With the content of the files that their arguments stand for. */
function entriesWithFiles(
  { inputs: { files }, stage }: Prepared,
  entries: readonly Uint8Array[],
): readonly Uint8Array[] {
  if (!stage || files.every((some) => some.length === 0)) return entries
  const sums = new Map(stage.in.map(({ argument, blob }) => [argument, blob.sha256]))
  return entries.map((entry, at) =>
    Buffer.concat([entry, Buffer.from(JSON.stringify(files[at]!.map((one) => sums.get(one) ?? one)))]),
  )
}

function claim(store: JobStore, id: JobId, calls: readonly Call[]) {
  const claims = store.claim(
    id,
    thisProcess(),
    calls.map(({ key }, item) => ({ key, item })),
  )
  const of = (outcome: string) => calls.filter((_, i) => claims[i]!.outcome === outcome)
  const joined = calls.flatMap((call, i): Joined[] =>
    claims[i]!.outcome === 'held' ? [{ ...call, holder: claims[i]!.job }] : [],
  )
  const cached = calls.flatMap((call, i): Joined[] =>
    claims[i]!.outcome === 'cached' ? [{ ...call, holder: claims[i]!.job }] : [],
  )
  return { won: of('won'), joined, cached }
}

/** Calls of our own: one job, whose items are those of the front. */
async function run(front: Submission, prepared: Prepared, id: JobId, calls: readonly Call[]): Promise<void> {
  const isWhole = id === front.id && calls.length === front.items.length
  const inner = new Submission(id, 0, isWhole ? front.part : undefined)
  const outer = new Map<Item, Item>()
  const { recorder } = prepared
  const keys = calls.map(({ key }) => key)
  const entries = calls.map(({ entry }) => entry)
  const submitting = abandoning(
    inner,
    submit(
      inner,
      { ...prepared, inputs: { ...prepared.inputs, entries, shared: prepared.inputs.shared, repeated: [] } },
      keys,
    ),
  )
  const handle: Handle = { submission: inner, session: submitting, seal: alreadySealed }
  for (const { item } of calls) {
    const own = inner.add(item.callSite)
    outer.set(own, item)
    link(front, item, handle, own)
  }
  mirror(front, inner, outer)
  try {
    await submitting
    if (id === front.id) front.nativeId = inner.nativeId
  } catch (error) {
    if (!inner.records) recorder.store.unclaim(id, keys)
    if (calls.length === front.items.length) front.abandoned = inner.abandoned
    throw error
  }
}

async function submit(inner: Submission, prepared: Prepared, keys: readonly string[]): Promise<Session> {
  const send = await recordJob(inner, prepared, keys)
  await send()
  return prepared.session
}

/** Apart from `run`, whose calls and values need not be kept for as long as somebody listens. */
function mirror(front: Submission, inner: Submission, outer: ReadonlyMap<Item, Item>): void {
  inner.listen((status, items) => {
    if (inner.id === front.id) front.nativeId = inner.nativeId
    for (const own of items) front.observe(outer.get(own)!, status)
  })
}

function link(front: Submission, item: Item, handle: Handle, own: Item): void {
  item.behind = { handle, item: own }
  if (item.file) own.file = item.file
  own.settled.promise.then(
    (value) => front.settle(item, { ...own.status, state: 'COMPLETED' }, () => item.settled.resolve(value)),
    (error) => front.settle(item, own.status, () => item.settled.reject(error)),
  )
}

function refuse(front: Submission, item: Item, error: unknown): void {
  front.settle(item, { state: 'FAILED', reason: 'lost' }, () => item.settled.reject(error))
}

/** Hands out results that are in the store; gives back the calls that have none there. */
function deliver(
  front: Submission,
  store: JobStore,
  calls: readonly Joined[],
  keyOf: (call: Joined) => string = ({ key }) => key,
  inVain = Number.POSITIVE_INFINITY,
): Joined[] {
  const missing: Joined[] = []
  for (let at = 0; at < calls.length; at += batchSize) {
    if (missing.length >= inVain) return [...missing, ...calls.slice(at)]
    const some = calls.slice(at, at + batchSize)
    let found: (CachedPlace | undefined)[] = []
    store.batch(() => {
      found = some.map((call) => store.cacheFind(keyOf(call)))
    })
    for (const [i, call] of some.entries()) {
      const place = found[i]
      if (place) deliverOne(front, call.item, place)
      else missing.push(call)
    }
  }
  return missing
}

function deliverOne(front: Submission, item: Item, place: CachedPlace): void {
  item.ranAs = place.job
  if (place.path === undefined) front.deliver(item, place.kind, place.bytes)
  else deliverFile(front, item, place.kind, place.path)
}

/** One that may be too large for a Buffer; an exception is never one of these. */
function deliverFile(front: Submission, item: Item, kind: RecordKind, path: string): void {
  try {
    const decoder = { ...front.decoder!, from: `job ${item.ranAs!}`, callSite: '' }
    const outcome = outcomeOf(kind, readResult(path, decodeOptions(front.decoder!)), decoder)
    if (outcome.ok) front.settle(item, { state: 'COMPLETED' }, () => item.settled.resolve(outcome.value))
    else refuse(front, item, outcome.thrown)
  } catch (error) {
    refuse(front, item, error)
  }
}

/** Waits for calls that other jobs have, of this process or of another one, by looking at the store. */
async function waitFor(front: Submission, prepared: Prepared, calls: readonly Joined[]): Promise<void> {
  const { recorder } = prepared
  let waiting = calls
  for (let pause = looks.first; waiting.length > 0; pause = Math.min(pause * 1.5, looks.most)) {
    await systemClock.sleep(pause)
    recorder.flush()
    const open = waiting.filter(({ item }) => !isFinal(item.status.state) && !front.letGo.has(item))
    const byHolder = new Map<JobId, Joined[]>()
    for (const call of open) byHolder.set(call.holder, [...(byHolder.get(call.holder) ?? []), call])
    waiting = [...byHolder].flatMap(([holder, group]) => lookAt(front, prepared, holder, group))
  }
}

/** Gives the calls that are to be waited for longer. */
function lookAt(front: Submission, prepared: Prepared, holder: JobId, calls: readonly Joined[]): Joined[] {
  const { store } = prepared.recorder
  const record = store.get(holder)
  if (record && record.endedAt === undefined) {
    for (const { item } of calls) front.observe(item, record.status)
    if (record.owner.pid === 0 || isDead(record.owner)) inherit(front, prepared, record, calls)
    return deliver(front, store, calls, undefined, batchSize)
  }
  const unanswered = deliver(front, store, calls)
  const rest = deliver(front, store, unanswered, ({ key }) => errorKey(key, holder))
  if (record && sharesFate(record)) {
    for (const { item } of rest) {
      item.ranAs = holder
      const error = failureOf({ spec: record.spec, jobId: holder, status: record.status })
      front.settle(item, record.status, () => item.settled.reject(error))
    }
    return []
  }
  return again(front, prepared, rest)
}

/** Its one call failed as ours would have. What was canceled, or could not be submitted, says nothing about ours. */
function sharesFate({ status, items }: JobRecord): boolean {
  return (
    items === 1 && status.state === 'FAILED' && status.reason !== 'submit-failed' && status.reason !== 'lost'
  )
}

/** Their job is gone without an answer: whoever takes the keys now runs them. */
function again(front: Submission, prepared: Prepared, calls: readonly Joined[]): Joined[] {
  if (calls.length === 0) return []
  const id = newJobId()
  const { won, joined, cached } = claim(prepared.recorder.store, id, calls)
  // Its items tell of a failure.
  if (won.length > 0) run(front, prepared, id, won).catch(() => {})
  return [...joined, ...cached]
}

/** Nobody follows the job any more: one of those who wait for it does, and submits it if that was not done. */
function inherit(
  front: Submission,
  { settings, session, recorder, snapshot, bundle }: Prepared,
  record: JobRecord,
  calls: readonly Joined[],
): void {
  const { store } = recorder
  if (!store.own(record.id, thisProcess(), record.owner)) return
  const decoder = { classes: snapshot.classes(), map: bundle.map }
  const inner = new Submission(record.id)
  const following: Promise<Session> = takeUp(inner, {
    session,
    recorder,
    record,
    profileName: settings.name,
    decoder,
    site: {},
  })
  following.catch((error) => {
    // Its files are gone: the call is free to be run again.
    if (error instanceof FarcallError && error.code === 'JOB_UNKNOWN')
      recorder.later((store) => store.ended(record.id, { state: 'FAILED', reason: 'lost' }))
    else {
      recorder.later((store) => store.own(record.id, undefined))
      for (const { item } of calls) refuse(front, item, error)
    }
  })
}
