import type { JobEnvironment } from '../../core/job-environment.ts'
import { LazyMap, LazySet } from '../../core/lazy.ts'
import type { MemberEnd } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import { type Measured, mergeMeasured } from '../../core/usage.ts'
import type { StoredUsage } from '../../store/types.ts'

/** What the members of a job used so far, and where they ran. */
export interface Measures {
  readonly members: LazyMap<number, Measured>
  /** Of the first one in full, of others what differs. */
  readonly environments: LazyMap<number, Partial<JobEnvironment>>
  /** Members whose end has said it; of others it may be what they used while they ran. */
  readonly ended: LazySet<number>
  /** Accounting was asked after the end. */
  complete?: boolean
}

export const noMeasures = (): Measures => ({
  members: new LazyMap(),
  environments: new LazyMap(),
  ended: new LazySet(),
})

/** What a member's end says. */
export function takeMeasures(measures: Measures, member: number, status: JobStatus, end?: MemberEnd): void {
  const { disk, gpu } = end ?? {}
  const told = mergeMeasured(status, { ...(disk ? { disk } : {}), ...(gpu ? { gpu } : {}) })
  // What accounting has told of it stands beside; an earlier try that was asked about while it ran does not.
  const before = measures.complete ? measures.members.get(member) : undefined
  measures.members.set(member, before ? mergeMeasured(before, told) : told)
  measures.ended.add(member)
  const environment = end?.environment ?? (end?.host === undefined ? undefined : { host: end.host })
  if (environment) measures.environments.set(member, environment)
}

/** In the form in which the record of jobs has it. */
export function toStored(measures: Measures): StoredUsage {
  return { members: [...measures.members], environments: [...measures.environments] }
}
