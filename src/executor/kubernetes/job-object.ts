/** The Job of a submission: one pod for each lane, and in it the function, beside its keeper. */
import { ConfigError } from '../../core/errors.ts'
import type { KubernetesSettings } from '../../core/kubernetes-settings.ts'
import type { JobSpec } from '../../core/protocol.ts'
import { parseDuration } from '../../core/units.ts'
import { annotations, containers, labels, objectName, podPaths } from './names.ts'
import type { Plan } from './plan.ts'
import { containerResources } from './resources.ts'

/** An annotation may have no more, all of an object's together. */
const specLimit = 240 * 1024
/** Beside the time that the function may take: to start, and to say how it ended. */
const startSeconds = 3600

export function jobObject(
  spec: JobSpec,
  settings: KubernetesSettings,
  plan: Plan,
  ownIndexes: boolean,
): object {
  const name = objectName(spec)
  const own = {
    [labels.managedBy]: 'farcall',
    [labels.job]: spec.id,
    [labels.client]: spec.client,
    [labels.submission]: name,
  }
  const text = JSON.stringify(spec)
  if (Buffer.byteLength(text) > specLimit)
    throw new ConfigError(
      'OPTION_INVALID',
      `job ${spec.id}: what is asked for it takes ${text.length} bytes to say, and ${specLimit} are left for that`,
    )
  const template = {
    metadata: {
      labels: { ...settings.labels, ...own },
      annotations: { ...settings.annotations, 'kubectl.kubernetes.io/default-container': containers.main },
    },
    spec: podSpec(spec, settings, plan),
  }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      labels: { ...settings.labels, ...own },
      annotations: {
        ...settings.annotations,
        'farcall/name': spec.name,
        [annotations.mark]: plan.mark,
        [annotations.spec]: text,
      },
    },
    spec: {
      parallelism: plan.lanes,
      completions: plan.lanes,
      // A pod that takes another's place ends at once, having no claim; of an array it must not end the others.
      backoffLimit: spec.members === 1 ? 0 : 2 * plan.lanes + 6,
      // There no pod takes another's place; where the server leaves this out, it is as without it.
      ...(ownIndexes && spec.members > 1
        ? { completionMode: 'Indexed', backoffLimitPerIndex: 0, podReplacementPolicy: 'Failed' }
        : {}),
      ttlSecondsAfterFinished: plan.keepSeconds,
      template,
    },
  }
}

function podSpec(spec: JobSpec, settings: KubernetesSettings, plan: Plan): object {
  const { image, serviceAccount, nodeSelector, tolerations, imagePullPolicy, imagePullSecrets } = settings
  const name = objectName(spec)
  const mounts = [
    { name: 'work', mountPath: podPaths.workdir },
    { name: 'claims', mountPath: podPaths.claims, readOnly: true },
    { name: 'payload', mountPath: podPaths.payload, readOnly: true },
    ...(settings.claim === undefined ? [] : [{ name: 'data', mountPath: settings.claimPath ?? '/data' }]),
  ]
  const container = (which: string, resources: object) => ({
    name: which,
    image,
    ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
    command: ['/bin/sh', `${podPaths.claims}/${which}.sh`],
    env: [{ name: 'FARCALL_POD_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } }],
    resources,
    volumeMounts: mounts,
    terminationMessagePolicy: 'FallbackToLogsOnError',
  })
  const small = { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '500m', memory: '128Mi' } }
  const main = containerResources(spec.resources, settings)
  const { timeSeconds } = spec.resources
  // The function's time is kept inside; this ends what cannot be ended there, and leaves results time to be fetched.
  const deadline =
    timeSeconds === undefined
      ? {}
      : {
          activeDeadlineSeconds: Math.ceil(
            timeSeconds * plan.rounds + plan.lingerSeconds + plan.stageSeconds + startSeconds,
          ),
        }
  return merge(
    {
      restartPolicy: 'Never',
      ...deadline,
      terminationGracePeriodSeconds: Math.ceil(
        parseDuration(settings.gracePeriod ?? '30s', 'kubernetes.gracePeriod'),
      ),
      enableServiceLinks: false,
      ...(serviceAccount === undefined
        ? { automountServiceAccountToken: false }
        : { serviceAccountName: serviceAccount }),
      ...(nodeSelector === undefined ? {} : { nodeSelector }),
      ...(tolerations === undefined ? {} : { tolerations }),
      ...(imagePullSecrets === undefined
        ? {}
        : { imagePullSecrets: imagePullSecrets.map((secret) => ({ name: secret })) }),
      ...(plan.streamed ? { initContainers: [container(containers.stage, small)] } : {}),
      containers: [container(containers.main, main), container(containers.keeper, small)],
      volumes: [
        { name: 'work', emptyDir: {} },
        { name: 'claims', configMap: { name } },
        { name: 'payload', secret: { secretName: name } },
        ...(settings.claim === undefined
          ? []
          : [{ name: 'data', persistentVolumeClaim: { claimName: settings.claim } }]),
      ],
    },
    settings.pod ?? {},
  )
}

type Value = Readonly<Record<string, unknown>>

/** Records are merged; lists whose entries have names are merged by those; anything else is replaced. */
function merge(ours: Value, theirs: Value): Value {
  const merged: Record<string, unknown> = { ...ours }
  for (const [key, value] of Object.entries(theirs)) {
    const mine = merged[key]
    if (isRecord(mine) && isRecord(value)) merged[key] = merge(mine, value)
    else if (Array.isArray(mine) && Array.isArray(value)) merged[key] = mergeLists(mine, value)
    else merged[key] = value
  }
  return merged
}

function mergeLists(ours: readonly unknown[], theirs: readonly unknown[]): unknown[] {
  // Words of a command, say: one list takes the place of the other.
  if (!theirs.every(isRecord)) return [...theirs]
  const keyOf = (entry: unknown) => (isRecord(entry) ? (entry['mountPath'] ?? entry['name']) : undefined)
  const all = [...ours]
  for (const entry of theirs) {
    const at = all.findIndex((one) => keyOf(one) !== undefined && keyOf(one) === keyOf(entry))
    if (at < 0) all.push(entry)
    else all[at] = merge(all[at] as Value, entry)
  }
  return all
}

const isRecord = (value: unknown): value is Value =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
