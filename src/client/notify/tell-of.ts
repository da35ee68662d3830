import { ignoreRejection } from '../../core/rejections.ts'
import type { Parts } from '../job/parts.ts'
import type { Handle } from '../submission/handle.ts'
import { countsOf, Teller } from './teller.ts'

/** Tells of a call, or of calls that travel together. */
export function tellOfCall(handle: Handle): void {
  const { submission } = handle
  const teller = new Teller({ counts: () => countsOf(submission) })
  teller.follow(handle)
  teller.endsWith(submission.over.promise)
}

export function tellOfMap(parts: Parts): void {
  const counts = () => {
    const { total, done, failed } = parts.progress
    return { total, done, failed }
  }
  const teller = new Teller({ counts })
  parts.follow((handle) => teller.follow(handle))
  teller.endsWith(parts.over, parts.complete)
}

/** Tells of all of a job that was attached to; `isWhole`: all of it is there. */
export function tellOfAttached(handle: Handle, isWhole: () => boolean): void {
  const { submission, session } = handle
  const all = () => [submission, ...submission.rest.map((part) => part.submission)]
  const counts = () =>
    all()
      .map(countsOf)
      .reduce((sum, { total, done, failed }) => ({
        total: sum.total + total,
        done: sum.done + done,
        failed: sum.failed + failed,
      }))
  const teller = new Teller({ counts, attached: true })
  teller.follow(handle)
  session
    .then(() => {
      for (const part of submission.rest) teller.follow(part)
      if (isWhole()) teller.endsWith(Promise.all(all().map(({ over }) => over.promise)).then(() => {}))
    })
    // The job that was attached to rejects with it.
    .catch(ignoreRejection)
}
