import { setTimeout as wait } from 'node:timers/promises'
import type { JobNotification } from '../../core/notification.ts'
import type { Measures } from '../outcome/measures.ts'
import type { Submission } from '../submission/submission.ts'

/** A result may be here a moment before the end of the member that left it, which says what was used. */
const momentMs = 500
/** Of an array whose ends come one by one, nobody waits for thousands. */
const mostMembers = 64

/** Undefined: there is nothing to wait for. It keeps no program alive. */
export function whenAllMeasured(submission: Submission): Promise<void> | undefined {
  const members = submission.submitted?.spec.members
  const ran = submission.items.some(
    ({ status }) => status.state === 'COMPLETED' || status.reason === 'exception',
  )
  if (members === undefined || members > mostMembers || submission.isMeasured || !ran) return undefined
  const ends = Array.from({ length: members }, (_, member) => submission.whenMeasured(member))
  return Promise.race([Promise.all(ends).then(() => undefined), wait(momentMs, undefined, { ref: false })])
}

export function usedBy({ members }: Measures): JobNotification['usage'] {
  const all = [...members.values()]
  const most = (key: 'peakMemory' | 'elapsed' | 'cpuTime') => {
    const known = all.flatMap((one) => one[key] ?? [])
    return known.length === 0 ? undefined : known.reduce((a, b) => Math.max(a, b))
  }
  const [memory, time, cpu] = [most('peakMemory'), most('elapsed'), most('cpuTime')]
  if (memory === undefined && time === undefined && cpu === undefined) return undefined
  return {
    ...(memory === undefined ? {} : { memory }),
    ...(time === undefined ? {} : { time }),
    ...(cpu === undefined ? {} : { cpu }),
  }
}
