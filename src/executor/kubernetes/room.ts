import type { Api } from './api.ts'
import type { Persist } from './persistence.ts'
import { viewOf } from './pod-status.ts'
import { letGo } from './results.ts'
import type { TrackedJob } from './tracked-job.ts'

/** Whether a pod of theirs finds no node. */
function isWaiting(jobs: readonly TrackedJob[]): boolean {
  return jobs.some((job) =>
    [...job.pods].some(([lane, pod]) => job.open(lane).length > 0 && viewOf(pod).obstacle === 'node'),
  )
}

/**
 * Lets pods go whose results are all here, when others of ours wait for a node: a map with large results and more pods
 * than there is room for would never end. Where nobody waits they stay, for whoever else attaches.
 */
export async function makeRoom(api: Api, jobs: readonly TrackedJob[], persist: Persist): Promise<void> {
  if (!isWaiting(jobs)) return
  const going: Promise<void>[] = []
  for (const job of jobs) {
    // Of what was yielded nobody knows here how far it was read.
    if (job.spec.stream) continue
    for (const [lane, pod] of job.pods) {
      const isHere = job.lanes[lane]!.every((member) => job.delivered.has(member))
      if (!isHere || !viewOf(pod).kept || job.leaving.has(lane)) continue
      job.leaving.add(lane)
      going.push(persist(() => letGo(api, pod)))
    }
  }
  await Promise.all(going)
}
