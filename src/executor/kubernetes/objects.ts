/** Of the API's objects, what is read of them (https://kubernetes.io/docs/reference/kubernetes-api/). */

export interface Meta {
  readonly name: string
  readonly uid: string
  readonly resourceVersion?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
}

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason?: string
  readonly message?: string
}

export interface JobObject {
  readonly metadata: Meta
  readonly spec: { readonly completions?: number; readonly parallelism?: number }
  readonly status?: {
    readonly conditions?: readonly Condition[]
    readonly active?: number
    readonly startTime?: string
    readonly completionTime?: string
  }
}

export interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string }
  readonly running?: { readonly startedAt?: string }
  readonly terminated?: {
    readonly exitCode: number
    readonly signal?: number
    readonly reason?: string
    readonly message?: string
    readonly startedAt?: string
    readonly finishedAt?: string
  }
}

export interface ContainerStatus {
  readonly name: string
  readonly state?: ContainerState
}

export type Quantities = Readonly<Record<string, string>>

interface Container {
  readonly resources?: { readonly requests?: Quantities }
}

export interface Pod {
  readonly metadata: Meta
  readonly spec?: {
    readonly nodeName?: string
    readonly containers?: readonly Container[]
    readonly initContainers?: readonly Container[]
    readonly overhead?: Quantities
  }
  readonly status?: {
    readonly phase?: string
    readonly startTime?: string
    readonly reason?: string
    readonly message?: string
    readonly conditions?: readonly Condition[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
    readonly containerStatuses?: readonly ContainerStatus[]
  }
}

export interface Node {
  readonly metadata: Meta
  readonly spec?: {
    readonly unschedulable?: boolean
    readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  }
  readonly status?: { readonly allocatable?: Quantities; readonly conditions?: readonly Condition[] }
}

export interface Quota {
  readonly metadata: Meta
  readonly status?: { readonly hard?: Quantities; readonly used?: Quantities }
}

export interface List<T> {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items: readonly T[]
}

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: T
}

export interface ConfigMap {
  readonly metadata: Meta
  readonly data?: Readonly<Record<string, string>>
}

export interface ApiEvent {
  readonly reason?: string
  readonly message?: string
}
