import { ConfigError } from '../../core/errors.ts'
import { memberItems } from '../../core/protocol.ts'
import { quiet } from '../../core/rejections.ts'
import { isFinal } from '../../core/status.ts'
import { cancelItems, Job } from '../job/job.ts'
import { Settlement } from '../outcome/settlement.ts'
import { alreadySealed, type Handle } from '../submission/handle.ts'
import { type Item, isFailed } from '../submission/item.ts'
import { Submission } from '../submission/submission.ts'
import { type AttachOptions, followAttached } from './attach.ts'

/** A job that one looks at, or cancels. Its results stay where they are, for whoever attaches to it. @internal */
export interface Visit {
  /** It has no value here: do not await it. */
  readonly job: Job<unknown>
  readonly handle: Handle
}

/** @throws FarcallError JOB_UNKNOWN, TransportError */
export async function visit(id: string, options: Pick<AttachOptions, 'profile'> = {}): Promise<Visit> {
  const submission = new Submission(id)
  // Of one that is canceled nobody will take a result; its log may be wanted.
  submission.keeps = true
  const site = { stack: '' }
  const item: Item = {
    index: 0,
    settled: new Settlement(),
    callSite: site,
    status: { state: 'NEW' },
    earlier: [],
  }
  submission.views.add(item, undefined)
  const session = followAttached(submission, undefined, site, { ...options, leave: true })
  const handle: Handle = { submission, session, seal: alreadySealed }
  const job = new Job<unknown>(handle, item)
  quiet(job)
  await session
  return { job, handle }
}

/** An item of it, by its number in the map, and the submission that has it. @throws ConfigError OPTION_INVALID */
export function itemAt({ handle }: Visit, index: number): { readonly handle: Handle; readonly item: Item } {
  const parts = [handle, ...handle.submission.rest]
  for (const part of parts) {
    const item = part.submission.items[index - part.submission.first]
    if (item) return { handle: part, item }
  }
  const count = parts.reduce((sum, { submission }) => sum + submission.items.length, 0)
  throw new ConfigError(
    'OPTION_INVALID',
    `job ${handle.submission.id} has ${count} items, there is no item ${index}`,
    {
      hint: 'items are counted from 0',
    },
  )
}

/** What one looks at first: an item that failed, else the first. */
export function firstFailed({ handle }: Visit): { readonly handle: Handle; readonly item: Item } {
  for (const part of [handle, ...handle.submission.rest]) {
    const item = part.submission.items.find(isFailed)
    if (item) return { handle: part, item }
  }
  return { handle, item: handle.submission.items[0]! }
}

/** Cancels items of it, or all that is open. */
export async function cancelVisited(visited: Visit, items: readonly number[] | undefined): Promise<void> {
  if (items === undefined) {
    await visited.job.cancel()
    return
  }
  await Promise.all(
    cancelableAt(visited, items).map(([handle, some]) => cancelItems(handle, some, undefined)),
  )
}

/** These items, by the submissions that have them. @throws ConfigError OPTION_INVALID when they cannot be ended alone */
export function cancelableAt(visited: Visit, items: readonly number[]): [Handle, Item[]][] {
  const byPart = new Map<Handle, Item[]>()
  for (const { handle, item } of items.map((index) => itemAt(visited, index)))
    byPart.set(handle, [...(byPart.get(handle) ?? []), item])
  for (const [{ submission }, some] of byPart) requireWholeTasks(submission, new Set(some))
  return [...byPart]
}

/** Items alone of a task cannot be ended, and this program is not there any more to overlook their results. */
function requireWholeTasks({ id, items, first, submitted }: Submission, asked: ReadonlySet<Item>): void {
  const { spec, executor } = submitted!
  if (
    !executor.traits.cancelsMembers &&
    items.some((item) => !asked.has(item) && !isFinal(item.status.state))
  )
    throw new ConfigError('OPTION_INVALID', `job ${id}: ${executor.name} ends whole jobs only`, {
      hint: `farcall cancel ${id}`,
    })
  for (const { index } of asked) {
    const { from, to } = memberItems(spec, Math.floor(index / spec.chunk))
    const others = items.slice(from, to).filter((item) => !asked.has(item) && !isFinal(item.status.state))
    if (others.length === 0) continue
    const range = `[${first + from}-${first + to - 1}]`
    throw new ConfigError(
      'OPTION_INVALID',
      `job ${id}: items ${range} are run by one task, which others need`,
      {
        hint: `cancel them together: farcall cancel '${id}${range}'`,
      },
    )
  }
}

/** Resolves when all of it has ended, as far as this process is told. */
export async function overAt({ handle }: Visit): Promise<void> {
  const parts = [handle, ...handle.submission.rest]
  await Promise.all(parts.map(({ submission }) => submission.over.promise))
}
