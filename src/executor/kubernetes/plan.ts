/** How a submission is laid out in pods. */
import { randomBytes } from 'node:crypto'
import type { KubernetesSettings } from '../../core/kubernetes-settings.ts'
import { type JobSpec, membersOf } from '../../core/protocol.ts'
import { parseDuration } from '../../core/units.ts'

export interface Plan {
  /** Pods. Each runs its members one after the other: every `lanes`-th of those that the attempt has. */
  readonly lanes: number
  /** Members that the fullest lane has. */
  readonly rounds: number
  /** Whether what the function needs is sent into each pod, being too large for a Secret. */
  readonly streamed: boolean
  /** Begins the lines by which the pod speaks to us; nothing that the function prints begins like it by chance. */
  readonly mark: string
  readonly lingerSeconds: number
  readonly stageSeconds: number
  readonly keepSeconds: number
}

/** How long a pod waits for what is sent into it. */
const stageSeconds = 900

export function planOf(
  spec: JobSpec,
  settings: KubernetesSettings,
  streamed: boolean,
  keepSeconds: number,
  mark = `farcall-${randomBytes(8).toString('hex')}`,
): Plan {
  const count = spec.only?.length ?? spec.members
  const lanes = Math.max(1, Math.min(count, spec.concurrency ?? count))
  return {
    lanes,
    rounds: Math.ceil(count / lanes),
    streamed,
    mark,
    lingerSeconds: Math.ceil(parseDuration(settings.linger ?? '24h', 'kubernetes.linger')),
    stageSeconds,
    keepSeconds: Math.ceil(keepSeconds),
  }
}

/** The members of each lane. */
export function lanesOf(spec: Pick<JobSpec, 'members' | 'only'>, lanes: number): number[][] {
  const all: number[][] = Array.from({ length: lanes }, () => [])
  let at = 0
  for (const member of membersOf(spec)) all[at++ % lanes]!.push(member)
  return all
}
