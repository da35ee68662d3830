import { LazySet } from '../../core/lazy.ts'
import { joinPath } from '../../files/paths.ts'
import { outputFolder } from '../staging/stage.ts'
import type { MemberEndEvent } from './intake.ts'
import type { Submission } from './submission.ts'

/** Fetches what items have left in their working directories, for many members at once. */
export class Outputs {
  readonly #fetched = new LazySet<number>()

  has(member: number): boolean {
    return this.#fetched.has(member)
  }

  /** Another attempt of it has outputs of its own. */
  forget(member: number): void {
    this.#fetched.delete(member)
  }

  async fetch(submission: Submission, ends: readonly MemberEndEvent[]): Promise<void> {
    const { spec, executor } = submission.submitted!
    const stage = spec.stage!
    const members = ends.flatMap(({ member, end, status }) => {
      const bytes = end?.outputs
      const told = bytes !== undefined && bytes > 0
      // Ended before it could tell: its folder is looked into, when that is wanted.
      const left = bytes === undefined && status.state === 'FAILED' && stage.onFailure
      return told ? [{ member, bytes }] : left ? [{ member }] : []
    })
    const base = submission.outputBase ?? stage.cwd
    const job = { ...spec, id: spec.part?.of ?? spec.id }
    const place = (index: number, failed: boolean, path: string) =>
      failed && !stage.onFailure
        ? undefined
        : joinPath(outputFolder(stage, job, submission.first + index, base), path)
    const saved = members.length > 0 ? await executor.saveOutputs?.(submission.id, members, place) : undefined
    for (const [index, paths] of saved ?? []) {
      const item = submission.items[index]
      if (item) item.outputs = paths
    }
    for (const { member } of ends) this.#fetched.add(member)
  }
}
