import { hostname } from 'node:os'
import { isFinal } from '../../core/status.ts'
import { isDead } from '../../store/owner.ts'
import type { JobRecord } from '../../store/types.ts'

/**
 * Whether a program of this machine follows it, and records what it hears. Of one elsewhere (a shared home) it cannot be
 * told whether it still runs, and looking for oneself does no harm.
 */
export function isFollowedHere({ owner }: Pick<JobRecord, 'owner'>): boolean {
  return owner.pid !== 0 && owner.host === hostname() && !isDead(owner)
}

/** Whether it is under way, as far as the record knows, and no program of this machine tells how it goes. */
export function isUnfollowed({ status, nativeId, owner, collectedAt }: JobRecord): boolean {
  if (nativeId === undefined || collectedAt !== undefined || isFinal(status.state)) return false
  return !isFollowedHere({ owner })
}
