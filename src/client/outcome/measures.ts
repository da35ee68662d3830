import type { JobEnvironment } from '../../core/job-environment.ts'
import { LazyMap } from '../../core/lazy.ts'
import type { MemberEnd } from '../../core/protocol.ts'
import type { JobStatus } from '../../core/status.ts'
import { type Measured, mergeMeasured } from '../../core/usage.ts'
import type { StoredUsage } from '../../store/types.ts'

/** What the members of a job used so far, and where they ran. */
export interface Measures {
  readonly members: LazyMap<number, Measured>
  /** Of the first one in full, of others what differs. */
  readonly environments: LazyMap<number, Partial<JobEnvironment>>
  /** Accounting was asked after the end. */
  complete?: boolean
}

export const noMeasures = (): Measures => ({ members: new LazyMap(), environments: new LazyMap() })

/** What a member's end says. */
export function takeMeasures(measures: Measures, member: number, status: JobStatus, end?: MemberEnd): void {
  const { disk, gpu } = end ?? {}
  measures.members.set(member, mergeMeasured(status, { ...(disk ? { disk } : {}), ...(gpu ? { gpu } : {}) }))
  const environment = end?.environment ?? (end?.host === undefined ? undefined : { host: end.host })
  if (environment) measures.environments.set(member, environment)
}

/** In the form in which the record of jobs has it. */
export function toStored(measures: Measures): StoredUsage {
  return { members: [...measures.members], environments: [...measures.environments] }
}
