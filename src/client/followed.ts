import { isFinal } from '../core/status.ts'
import { isDead } from '../store/owner.ts'
import type { JobRecord } from '../store/types.ts'

/** Whether it is under way, as far as the record knows, and no program of this machine tells how it goes. */
export function isUnfollowed({ status, nativeId, owner, collectedAt }: JobRecord): boolean {
  if (nativeId === undefined || collectedAt !== undefined || isFinal(status.state)) return false
  return owner.pid === 0 || isDead(owner)
}
