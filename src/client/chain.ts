/** Jobs whose values are arguments of a submission: how each comes to where it runs, and what happens when one fails. */
import type { ParentsSpec } from '../core/protocol.ts'
import { isFinal } from '../core/status.ts'
import { canceledBefore } from './failures.ts'
import { parentFailure, statusOf } from './parent-failure.ts'
import { keyOf, type Parent } from './parents.ts'
import type { Submission } from './submission.ts'
import type { Request } from './submit.ts'

/** What a submission gets of the jobs among its arguments. */
export interface FromParents {
  /** Values that go along, in the order of `spec.sent`. */
  readonly sent: readonly Uint8Array[]
  readonly spec?: Omit<ParentsSpec, 'from'>
}

type Come = { readonly parent: Parent } & ({ readonly value: unknown } | { readonly error: unknown })

/**
 * Waits for the values, to send them along. Items whose jobs fail are settled.
 * @throws what the first of them has come to, when no item is left to run
 */
export async function takeParents(submission: Submission, asked: Request): Promise<FromParents> {
  const parents = new Map(asked.inputs.parents.flat().map((parent) => [parent.key, parent]))
  if (parents.size === 0) return { sent: [] }
  tellWaiting(submission, asked)
  const all = await unlessCanceled(submission, Promise.all([...parents.values()].map(come)))
  const sent = new Map<string, Uint8Array>()
  const arrays: Record<string, readonly string[]> = {}
  for (const one of all) {
    if ('error' in one) continue
    const { parent, value } = one
    const isArray = parent.isArray()
    const keys = parent.items().map(keyOf)
    if (isArray) arrays[parent.key] = keys
    // Each item was encoded by itself, and is one value however often it is named.
    for (const [at, key] of keys.entries()) {
      const own = isArray ? (value as readonly unknown[])[at] : value
      if (!sent.has(key)) sent.set(key, asked.snapshot.encode(own, `the value of job ${key}`))
    }
  }
  const failed = new Map(all.flatMap((one) => ('error' in one ? [[one.parent.key, one.error]] : [])))
  failItems(submission, asked, failed)
  return { sent: [...sent.values()], spec: { jobs: [], sent: [...sent.keys()], arrays } }
}

async function come(parent: Parent): Promise<Come> {
  try {
    return { parent, value: await parent.value() }
  } catch (error) {
    return { parent, error }
  }
}

/** Whoever cancels all of it does not wait for what it waits for. */
async function unlessCanceled<T>(submission: Submission, coming: Promise<T>): Promise<T> {
  const canceled = submission.waiting?.promise.then(() => undefined)
  const come = await (canceled ? Promise.race([coming, canceled]) : coming)
  submission.waiting = undefined
  if (come === undefined || submission.open === 0) throw canceledBefore(submission)
  return come
}

function tellWaiting(submission: Submission, { inputs }: Request): void {
  for (const [index, parents] of inputs.parents.entries()) {
    const open = parents.filter(({ status }) => !isFinal(status.state))
    if (open.length === 0) continue
    const message = waitsFor(open.map(({ id }) => id))
    submission.observe(submission.items[index]!, { state: 'QUEUED', reason: 'held', message })
  }
}

/** In words, for people. */
export function waitsFor([first, second, ...more]: readonly string[]): string {
  if (second === undefined) return `waits for job ${first}, whose value is an argument of it`
  const others = more.length === 0 ? second : `${more.length + 1} more`
  return `waits for jobs ${first} and ${others}, whose values are arguments of it`
}

/** @throws what the first of them has come to, when no item is left to run */
function failItems(
  submission: Submission,
  { inputs, snapshot }: Request,
  failed: ReadonlyMap<string, unknown>,
): void {
  let first: unknown
  for (const [index, parents] of inputs.parents.entries()) {
    const parent = parents.find(({ key }) => failed.has(key))
    const item = submission.items[index]!
    if (!parent || isFinal(item.status.state)) continue
    const own = { id: submission.itemId(item), name: snapshot.name }
    const named = { id: parent.id, name: parent.handles[0]?.submission.submitted?.spec.name }
    const { error, status } = parentFailure(own, named, statusOf(parent), failed.get(parent.key))
    submission.settle(item, status, () => item.settled.reject(error))
    first ??= error
  }
  if (first !== undefined && submission.open === 0) throw first
}
