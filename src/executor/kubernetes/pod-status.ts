/** What a pod's status says of the members that it runs. */
import type { JobStatus } from '../../core/status.ts'
import { containers } from './names.ts'
import type { ContainerState, Pod } from './objects.ts'

/** Where a pod stands. */
export interface PodView {
  /** Of its members that have not ended. */
  readonly status: JobStatus
  /** What keeps it from starting: 'never' will not pass; 'image' may; 'node' is a place in the queue. */
  readonly obstacle?: 'never' | 'image' | 'node'
  /** Its init container runs, and waits to be sent to. */
  readonly staging: boolean
  /** The function's container is over, or will not start any more. */
  readonly over: boolean
  /** The keeper is there: files can be read. */
  readonly kept: boolean
  /** The keeper is over, and what it had to say in its message. */
  readonly message?: string
  readonly keeperOver: boolean
}

const pullReasons = [
  'ErrImagePull',
  'ImagePullBackOff',
  'RegistryUnavailable',
  'ImageInspectError',
  'SignatureValidationFailed',
]
const neverReasons = [
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]

export function viewOf(pod: Pod): PodView {
  const state = (name: string): ContainerState => stateOf(pod, name)
  const [main, keeper, stage] = [state(containers.main), state(containers.keeper), state(containers.stage)]
  const { phase = 'Pending' } = pod.status ?? {}
  const isFinished = phase === 'Succeeded' || phase === 'Failed'
  const message = keeper.terminated?.exitCode === 0 ? keeper.terminated.message : undefined
  const facts = {
    staging: stage.running !== undefined,
    over: isFinished || main.terminated !== undefined,
    kept: keeper.running !== undefined && pod.metadata.deletionTimestamp === undefined,
    keeperOver: isFinished || keeper.terminated !== undefined,
    ...(message ? { message } : {}),
  }
  if (main.terminated || isFinished) return { ...facts, status: { state: 'ACTIVE', reason: 'completing' } }
  if (main.running) return { ...facts, status: { state: 'ACTIVE', ...timeOf(main.running.startedAt) } }
  return { ...facts, ...waitingOf(pod, [stage, main, keeper]) }
}

function waitingOf(pod: Pod, states: readonly ContainerState[]): Pick<PodView, 'status' | 'obstacle'> {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  if (scheduled?.status === 'False') {
    const native = scheduled.reason ?? 'Unschedulable'
    const message = scheduled.message ?? 'no node has room for it'
    return { status: { state: 'QUEUED', native, message: `${native}: ${message}` }, obstacle: 'node' }
  }
  for (const { waiting } of states) {
    const { reason = '', message = '' } = waiting ?? {}
    const obstacle = neverReasons.includes(reason)
      ? 'never'
      : pullReasons.includes(reason)
        ? 'image'
        : undefined
    if (!obstacle) continue
    const words = `${reason}${message ? `: ${message}` : ''}`
    return { status: { state: 'QUEUED', reason: 'configuring', native: reason, message: words }, obstacle }
  }
  if (states[0]!.running)
    return { status: { state: 'QUEUED', reason: 'staging-in', native: 'PodInitializing' } }
  if (!scheduled && !pod.spec?.nodeName) return { status: { state: 'QUEUED' } }
  const native = states.map(({ waiting }) => waiting?.reason).find(Boolean)
  return { status: { state: 'QUEUED', reason: 'configuring', ...(native ? { native } : {}) } }
}

/** Reasons of a pod that failed as a whole: https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/ and the kubelet's own. */
const podReasons: Readonly<Record<string, JobStatus['reason']>> = {
  Evicted: 'preempted',
  Preempting: 'preempted',
  DeadlineExceeded: 'timeout',
  NodeLost: 'node-failure',
  NodeShutdown: 'node-failure',
  Shutdown: 'node-failure',
  Terminated: 'node-failure',
  NodeAffinity: 'launch-failed',
  OutOfcpu: 'launch-failed',
  OutOfmemory: 'launch-failed',
  OutOfpods: 'launch-failed',
  UnexpectedAdmissionError: 'launch-failed',
}

/** How a pod that is over ended, as Kubernetes has it. */
export function endOf(pod: Pod): JobStatus {
  const { reason, message, phase } = pod.status ?? {}
  const { terminated } = stateOf(pod, containers.main)
  const times = { ...timeOf(terminated?.finishedAt), ...elapsedOf(terminated) }
  if (reason !== undefined && reason in podReasons)
    return {
      state: 'FAILED',
      reason: podReasons[reason]!,
      native: reason,
      ...(message ? { message } : {}),
      ...times,
    }
  const stage = stateOf(pod, containers.stage).terminated
  if (stage && stage.exitCode !== 0) {
    const words = stage.message?.trim() || `it ended with exit code ${stage.exitCode}`
    return {
      state: 'FAILED',
      reason: 'launch-failed',
      native: stage.reason ?? 'Error',
      message: `the arguments could not be sent into its pod: ${words}`,
    }
  }
  if (terminated) return { ...containerEnd(terminated), ...times }
  if (phase === 'Failed')
    return {
      state: 'FAILED',
      reason: 'launch-failed',
      native: reason ?? 'Failed',
      message: message ?? 'its pod failed without a word',
    }
  return {
    state: 'FAILED',
    reason: 'lost',
    native: phase ?? 'Unknown',
    message: 'its container left no word of how it ended',
  }
}

function containerEnd(terminated: NonNullable<ContainerState['terminated']>): JobStatus {
  const { exitCode, reason = '', message } = terminated
  const native = reason || 'Terminated'
  const words = message?.trim().split('\n').at(-1)
  const said = words ? { message: words } : {}
  if (reason === 'OOMKilled') return { state: 'FAILED', reason: 'out-of-memory', native, signal: 9 }
  if (/^(StartError|ContainerCannotRun|RunContainerError)$/.test(reason))
    return {
      state: 'FAILED',
      reason: 'launch-failed',
      native,
      exitCode,
      ...(message ? { message: message.trim() } : {}),
    }
  if (reason === 'DeadlineExceeded') return { state: 'FAILED', reason: 'timeout', native }
  if (exitCode > 128) return { state: 'FAILED', reason: 'signal', native, signal: exitCode - 128, ...said }
  if (exitCode !== 0) return { state: 'FAILED', reason: 'exit-code', native, exitCode, ...said }
  return { state: 'COMPLETED', native }
}

/** Of a pod that is no longer there. */
export function deletionOf(last: Pod | undefined): JobStatus {
  const conditions = last?.status?.conditions ?? []
  const disruption = conditions.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True')
  const node = last?.spec?.nodeName
  const where = node ? ` on ${node}` : ''
  if (disruption) {
    const native = disruption.reason ?? 'DisruptionTarget'
    const reason = /Taint|PodGC|KubeletShutdown|TerminationByKubelet/.test(native)
      ? 'node-failure'
      : 'preempted'
    return {
      state: 'FAILED',
      reason,
      native,
      message: disruption.message ?? `its pod was taken away${where}`,
    }
  }
  const ready = conditions.find(({ type }) => type === 'Ready')
  if (last?.status?.reason === 'NodeLost' || ready?.status === 'Unknown' || ready?.reason === 'NodeNotReady')
    return {
      state: 'FAILED',
      reason: 'node-failure',
      native: 'NodeLost',
      message: `the node is gone${where}`,
    }
  return {
    state: 'FAILED',
    reason: 'preempted',
    native: 'PodDeleted',
    message: `its pod was deleted${where}: a node that was drained, a pod of higher priority, or somebody by hand`,
  }
}

function stateOf({ status = {} }: Pod, name: string): ContainerState {
  const all = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]
  return all.find((one) => one.name === name)?.state ?? {}
}

function timeOf(text: string | undefined): { time?: number } {
  const time = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isNaN(time) ? {} : { time }
}

function elapsedOf(terminated: ContainerState['terminated']): { elapsed?: number } {
  const [from, to] = [Date.parse(terminated?.startedAt ?? ''), Date.parse(terminated?.finishedAt ?? '')]
  return from > 0 && to >= from ? { elapsed: (to - from) / 1000 } : {}
}
