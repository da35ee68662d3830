import type { Duration } from './resources.ts'

/** What a profile with `scheduler: 'kubernetes'` says of the cluster and of its pods. */
export interface KubernetesSettings {
  /** What pods run in: it has a POSIX sh, coreutils or busybox, and Node 16 or newer. */
  image?: string
  /** A kubeconfig file; default: $KUBECONFIG, else ~/.kube/config, else the service account of the pod that this program is in. */
  kubeconfig?: string
  /** Of the kubeconfig; default: its current context. */
  context?: string
  /** Default: the context's, else 'default'. */
  namespace?: string
  /** That pods run as; without it they get no token of the cluster's API. */
  serviceAccount?: string
  nodeSelector?: Readonly<Record<string, string>>
  tolerations?: readonly KubernetesToleration[]
  imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never'
  /** Names of Secrets. */
  imagePullSecrets?: readonly string[]
  /** The resource that GPUs are; default 'nvidia.com/gpu'. */
  gpuResource?: string
  /** Of the Job and its pods, beside farcall's own. */
  labels?: Readonly<Record<string, string>>
  annotations?: Readonly<Record<string, string>>
  /** A PersistentVolumeClaim that is mounted at `claimPath`, for what functions read and leave. */
  claim?: string
  /** Default '/data'. */
  claimPath?: string
  /** How long a pod may wait for a node or for its image until its job counts as failed; default: for ever, and what can never start fails at once. */
  startTimeout?: Duration
  /** How long a pod whose result is too large for its log waits for somebody to fetch it; default '24h'. */
  linger?: Duration
  /** Between SIGTERM and SIGKILL; default '30s'. */
  gracePeriod?: Duration
  /** Merged into the pod's spec, as the API has it. */
  pod?: Readonly<Record<string, unknown>>
}

export interface KubernetesToleration {
  key?: string
  operator?: 'Exists' | 'Equal'
  value?: string
  effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute'
  tolerationSeconds?: number
}
