import { isFinal } from '../../core/status.ts'
import type { ParentItem } from './parents.ts'
import type { Submission } from './submission.ts'

/** Resolves once all of these have ended, well or not; nobody's value is asked for. */
export async function ended(items: readonly ParentItem[]): Promise<void> {
  const submissions = new Set<Submission>(items.map(({ submission }) => submission))
  for (const submission of submissions) {
    const own = items.flatMap((one) => (one.submission === submission ? [one.item] : []))
    const isOver = () => own.every(({ status }) => isFinal(status.state))
    if (isOver()) continue
    await new Promise<void>((resolve) => {
      const stop = submission.listen(() => {
        if (!isOver()) return
        stop()
        resolve()
      })
    })
  }
}
