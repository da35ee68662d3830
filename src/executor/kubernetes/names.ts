/** What farcall's objects are called, and how they are found again. */
import type { JobId } from '../../core/ids.ts'
import type { JobSpec } from '../../core/protocol.ts'

export const labels = {
  managedBy: 'app.kubernetes.io/managed-by',
  job: 'farcall/job',
  client: 'farcall/client',
  /** The Job's own name. */
  submission: 'farcall/submission',
  /** Its results were delivered, and it is only kept. */
  collected: 'farcall/collected',
} as const

export const annotations = {
  spec: 'farcall/spec',
  mark: 'farcall/mark',
  /** Who ended it before it was over. */
  canceled: 'farcall/canceled',
  canceledMember: (member: number) => `farcall/canceled.${member}`,
} as const

/** Members that somebody has canceled by themselves. */
export function canceledMembers(noted: Readonly<Record<string, string>> = {}): number[] {
  return Object.keys(noted).flatMap((key) => {
    const [, member] = /^farcall\/canceled\.(\d+)$/.exec(key) ?? []
    return member === undefined ? [] : [Number(member)]
  })
}

export const managed = `${labels.managedBy}=farcall`

/** Of the Job, its Secret and its ConfigMap. A job's id is a DNS label. */
export function objectName({ id, attempt }: Pick<JobSpec, 'id' | 'attempt'>): string {
  return attempt === 1 ? id : `${id}-${attempt}`
}

export const jobsPath = (namespace: string) => `/apis/batch/v1/namespaces/${namespace}/jobs`
export const podsPath = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`
export const secretsPath = (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`
export const configMapsPath = (namespace: string) => `/api/v1/namespaces/${namespace}/configmaps`
export const eventsPath = (namespace: string) => `/api/v1/namespaces/${namespace}/events`
export const podPath = (namespace: string, name: string) =>
  `${podsPath(namespace)}/${encodeURIComponent(name)}`

export const jobsSelector = (ids: readonly JobId[]) => `${managed},${labels.job} in (${ids.join(',')})`

/** What stands where in the pod. */
export const podPaths = {
  workdir: '/farcall/work',
  claims: '/farcall/claims',
  payload: '/farcall/payload',
} as const

export const containers = { main: 'main', keeper: 'keeper', stage: 'stage' } as const
