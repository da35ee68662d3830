import { z } from 'zod'
import { containerEngines } from '../core/container-settings.ts'
import { launchers } from '../core/launcher.ts'
import { nodeSettingForms, parseNodeSetting } from '../core/node-setting.ts'
import type { Profile } from '../core/profile.ts'
import type { Resources } from '../core/resources.ts'
import { retryReasons } from '../core/retry-policy.ts'
import { parseDuration, parseFree, parseMemory } from '../core/units.ts'
import { notifySchema } from './notify-schema.ts'
import type { Config } from './types.ts'

// A leaf's description is both the "expected …" of an error and the text an editor shows.
const text = z
  .string()
  .min(1)
  .regex(/^[^\x00-\x1f\x7f]*$/)
  .describe('text on one line')
const lines = z
  .string()
  .regex(/^[^\x00-\x08\x0b-\x1f\x7f]*$/)
  .describe('shell lines')
const wholeNumber = z.int().min(1).describe('a whole number from 1')
const duration = z
  .union([z.string(), z.number()])
  .refine((value) => reads(() => parseDuration(value)))
  .describe("a duration like '90s', '2h' or '02:00:00', or a number of seconds")
const memory = z
  .union([z.string(), z.number()])
  .refine((value) => reads(() => parseMemory(value)))
  .describe("a memory size like '512MB' or '16GB', or a number of bytes")
const free = z
  .union([z.string(), z.number()])
  .refine((value) => reads(() => parseFree(value)))
  .describe("a share of a disk like '2%', a size like '10GB', or 0 for no limit")
const list = z.array(text).readonly().describe('a list of texts')
const textOrList = z.union([text, z.array(text).readonly()]).describe('text, or a list of texts')
const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
  .describe('letters, digits and underscores, and begins with no digit')
const packageName = z.string().regex(/^(@[\w.~-]+\/)?[\w.~-]+$/)
const secret = z
  .strictObject({ env: variableName.describe('the name of an environment variable') })
  .describe("{ env: 'NAME' }, the name of an environment variable")
const path = text.describe('a path')
const yesOrNo = z.boolean().describe('true or false')
const remotePath = text.regex(/^[/~$]/)
// A colon would make two of one.
const pathList = z
  .array(remotePath.regex(/^[^:]*$/).describe('an absolute path on the cluster, without a colon'))
  .readonly()
  .describe('a list of absolute paths on the cluster')

function oneOf<const T extends readonly [string, ...string[]]>(names: T) {
  return z.enum(names).describe(`one of ${names.map((name) => `'${name}'`).join(', ')}`)
}

function reads(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch {
    // The caller says what was expected, with the key's path.
    return false
  }
}

/** Schemas by resource name; `cluster` options and workflow steps use them too. */
export const resourcesShape = {
  cores: wholeNumber.exactOptional(),
  memory: memory.exactOptional(),
  time: duration.exactOptional(),
  gpus: z
    .union([z.int().min(0), z.string().regex(/^[^\s:,\x00-\x1f]+:\d+$|^\d+$/)])
    .describe("a number of GPUs, or a type and a number like 'a100:2'")
    .exactOptional(),
  nodes: wholeNumber.exactOptional(),
  tasksPerNode: wholeNumber.exactOptional(),
  partition: text.exactOptional(),
  queue: text.exactOptional(),
  account: text.exactOptional(),
  qos: text.exactOptional(),
  constraint: text.exactOptional(),
  reservation: text.exactOptional(),
  nodelist: textOrList.exactOptional(),
  exclude: textOrList.exactOptional(),
  exclusive: yesOrNo.exactOptional(),
  licenses: textOrList.exactOptional(),
  dependency: textOrList.exactOptional(),
  priority: z.number().describe('a number').exactOptional(),
  name: text.exactOptional(),
  mailType: textOrList.exactOptional(),
  mailUser: text.exactOptional(),
  signal: text.exactOptional(),
  requeue: yesOrNo.exactOptional(),
  native: list.exactOptional(),
} satisfies Record<keyof Resources, z.ZodType>

export const resourcesSchema = z.strictObject(resourcesShape).describe('a record of resources')

/** Also of the option `environment`. */
export const environmentSchema = z
  .strictObject({
    node: z
      .string()
      .refine((text) => parseNodeSetting(text) !== undefined)
      .describe(nodeSettingForms)
      .exactOptional(),
    loginShell: yesOrNo.exactOptional(),
    purge: yesOrNo.exactOptional(),
    modules: list.exactOptional(),
    conda: z
      .union([remotePath, z.string().regex(/^[^\s/~$\x00-\x1f\x7f][^\s/\x00-\x1f\x7f]*$/), z.literal(false)])
      .describe('the name of a conda environment, its folder as an absolute path, or false')
      .exactOptional(),
    venv: z
      .union([remotePath, z.literal(false)])
      .describe('the folder of a Python virtual environment as an absolute path, or false')
      .exactOptional(),
    path: z
      .strictObject({ prepend: pathList.exactOptional(), append: pathList.exactOptional() })
      .describe("a record with prepend or append, like { prepend: ['~/bin'] }")
      .exactOptional(),
    secrets: z
      .array(variableName.describe('the name of an environment variable'))
      .readonly()
      .describe("a list of names of environment variables, like ['HF_TOKEN']")
      .exactOptional(),
    packages: z
      .union([
        z.array(packageName).readonly(),
        z.record(packageName, z.string().regex(/^(install|bundle|\d+\.\d+\.\d+([-+][\w.+-]+)?)$/)).readonly(),
      ])
      .describe("a list of packages, or a record like { canvas: 'install', sharp: '0.33.5', pino: 'bundle' }")
      .exactOptional(),
    cwd: remotePath.describe('an absolute path on the cluster; ~ and $VARIABLES are its own').exactOptional(),
    umask: z
      .string()
      .regex(/^0?[0-7]{3}$/)
      .describe("three octal digits in quotes, like '027'")
      .exactOptional(),
    setup: z.array(lines).readonly().describe('a list of shell lines').exactOptional(),
    variables: z
      .record(variableName, z.string().describe('text (numbers in quotes)'))
      .readonly()
      .describe('a record of environment variables')
      .exactOptional(),
  })
  .describe('a record of settings, like { modules: [gcc] }')

const inside = text.regex(/^\//).describe('an absolute path inside the container')

const network = z.union([z.boolean(), text]).describe("true, false, or a network like 'host'")

/** Also of the option `container`. */
export const containerSchema = z
  .union([
    text,
    z.strictObject({
      image: text.describe("an image, like 'python:3.12' or '/images/tools.sif'"),
      engine: oneOf(['auto', ...containerEngines]).exactOptional(),
      mounts: z
        .array(
          z.union([
            text,
            z.strictObject({
              source: remotePath,
              target: inside.exactOptional(),
              readOnly: yesOrNo.exactOptional(),
            }),
          ]),
        )
        .readonly()
        .describe("a list like ['/data', '/scratch/x:/work:ro']")
        .exactOptional(),
      caches: z
        .array(
          z.strictObject({
            name: text,
            path: inside,
            exclusive: yesOrNo.exactOptional(),
            readOnly: yesOrNo.exactOptional(),
          }),
        )
        .readonly()
        .describe("a list like [{ name: 'pip', path: '/cache/pip' }]")
        .exactOptional(),
      setup: z
        .union([
          z.array(lines).readonly(),
          z.strictObject({ lines: z.array(lines).readonly(), network: network.exactOptional() }),
        ])
        .describe("a list of shell lines, or a record like { lines: ['npm ci'], network: true }")
        .exactOptional(),
      workdir: inside.exactOptional(),
      user: text.describe("'caller', 'image', 'root', or numbers like '1000:1000'").exactOptional(),
      env: z.record(variableName, z.string()).readonly().describe('a record of variables').exactOptional(),
      gpus: z.union([z.boolean(), oneOf(['nvidia', 'amd'])]).exactOptional(),
      network: network.exactOptional(),
      readOnly: yesOrNo.exactOptional(),
      memory: memory.exactOptional(),
      writableTmpfs: yesOrNo.exactOptional(),
      fakeroot: yesOrNo.exactOptional(),
      overlay: text.describe('a path').exactOptional(),
      pull: yesOrNo.exactOptional(),
      options: list.exactOptional(),
    }),
  ])
  .describe("an image, or a record like { image: 'python:3.12', mounts: ['/data'] }")

const textByName = z.record(text, z.string()).readonly().describe('a record of texts')

const kubernetesSchema = z
  .strictObject({
    image: text.describe("an image's name").exactOptional(),
    kubeconfig: path.exactOptional(),
    context: text.exactOptional(),
    namespace: text
      .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/)
      .describe('the name of a namespace')
      .exactOptional(),
    serviceAccount: text.exactOptional(),
    nodeSelector: textByName.exactOptional(),
    tolerations: z
      .array(
        z
          .strictObject({
            key: text.exactOptional(),
            operator: oneOf(['Exists', 'Equal']).exactOptional(),
            value: text.exactOptional(),
            effect: oneOf(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).exactOptional(),
            tolerationSeconds: z.int().describe('a whole number').exactOptional(),
          })
          .describe("a record like { key: 'gpu', operator: 'Exists' }"),
      )
      .readonly()
      .describe('a list of tolerations')
      .exactOptional(),
    imagePullPolicy: oneOf(['Always', 'IfNotPresent', 'Never']).exactOptional(),
    imagePullSecrets: list.exactOptional(),
    gpuResource: text
      .regex(/^[a-z0-9.-]+\/[A-Za-z0-9_.-]+$/)
      .describe("a resource's name like 'amd.com/gpu'")
      .exactOptional(),
    labels: textByName.exactOptional(),
    annotations: textByName.exactOptional(),
    claim: text.exactOptional(),
    claimPath: text.regex(/^\//).describe('an absolute path').exactOptional(),
    startTimeout: duration.exactOptional(),
    linger: duration.exactOptional(),
    gracePeriod: duration.exactOptional(),
    pod: z.record(text, z.unknown()).readonly().describe("a part of a pod's spec").exactOptional(),
  })
  .describe("a record of settings, like { image: 'node:22', namespace: 'research' }")

const factor = z
  .number()
  .refine((value) => value > 1)
  .describe('a factor above 1, like 2')
const retries = z.int().min(0).describe('a whole number from 0')

export const retrySchema = z
  .union([
    retries,
    z.strictObject({
      retries: retries.exactOptional(),
      backoff: oneOf(['fixed', 'exp']).exactOptional(),
      base: duration.exactOptional(),
      cap: duration.exactOptional(),
      on: z
        .array(oneOf(retryReasons))
        .readonly()
        .describe("a list of reasons, like ['node-failure']")
        .exactOptional(),
      escalate: z
        .strictObject({ memory: factor.exactOptional(), time: factor.exactOptional() })
        .describe('a record with memory or time, factors')
        .exactOptional(),
    }),
  ])
  .describe('a number of retries, or a record like { retries: 3, escalate: { memory: 2 } }')

const gridEngineName = text.regex(/^[\w.-]+$/).describe("a name of Grid Engine's, like 'smp'")

const callback = z
  .any()
  .refine((value) => typeof value === 'function')
  .describe('a function')
  .exactOptional()

const profileShape = {
  notify: notifySchema.exactOptional(),
  onSubmit: callback,
  onStart: callback,
  onComplete: callback,
  onFail: callback,
  onCancel: callback,
  kubernetes: kubernetesSchema.exactOptional(),
  scheduler: text.describe("a scheduler's name, like 'slurm', or 'auto'"),
  host: text
    .regex(/^[^-\s][^\s]*$/)
    .describe('a host name')
    .exactOptional(),
  port: z.int().min(1).max(65535).describe('a number from 1 to 65535').exactOptional(),
  user: text
    .regex(/^[^-\s][^\s]*$/)
    .describe('a login name')
    .exactOptional(),
  transport: oneOf(['local', 'ssh', 'openssh']).exactOptional(),
  sshConfig: path.exactOptional(),
  proxyJump: text
    .regex(/^[^-\s][^\s]*$/)
    .describe("hosts to go through, like 'me@bastion:2222'")
    .exactOptional(),
  identityFile: path.exactOptional(),
  password: secret.exactOptional(),
  passphrase: secret.exactOptional(),
  knownHosts: path.exactOptional(),
  hostKey: oneOf(['strict', 'accept-new']).exactOptional(),
  workdir: remotePath
    .describe('an absolute path on the cluster; ~ and $VARIABLES are its own')
    .exactOptional(),
  resources: resourcesSchema.exactOptional(),
  environment: environmentSchema.exactOptional(),
  container: containerSchema.exactOptional(),
  gridEngine: z
    .strictObject({
      parallelEnvironment: gridEngineName.exactOptional(),
      memoryResource: z.union([gridEngineName, z.array(gridEngineName).readonly()]).exactOptional(),
      gpuResource: gridEngineName.exactOptional(),
    })
    .describe('a record of names that a Grid Engine has, like { parallelEnvironment: smp }')
    .exactOptional(),
  template: path.exactOptional(),
  queryInterval: duration.exactOptional(),
  filePoll: duration.exactOptional(),
  grace: duration.exactOptional(),
  retry: retrySchema.exactOptional(),
  keep: oneOf(['failed', 'all', 'none']).exactOptional(),
  keepFor: duration.exactOptional(),
  keepBlobs: duration.exactOptional(),
  minFree: free.exactOptional(),
  interrupt: oneOf(['cancel', 'detach', 'ask']).exactOptional(),
  concurrency: wholeNumber.exactOptional(),
  launcher: oneOf(launchers).exactOptional(),
  targetTime: duration.exactOptional(),
  localThreshold: z.int().min(0).describe('a number of items, a whole number from 0').exactOptional(),
} satisfies Record<keyof Profile, z.ZodType>

const profileSchema = z.strictObject(profileShape)

/** A profile as one layer writes it: another layer may hold the rest. */
export const partialProfileSchema = z
  .strictObject({ ...profileShape, scheduler: profileShape.scheduler.exactOptional() })
  .describe('a profile, like { scheduler: slurm, host: login.hpc.edu }')

export const configSchema = z
  .strictObject({
    $schema: text.describe('where the JSON Schema of this file lies').exactOptional(),
    defaultProfile: text.describe("a profile's name").exactOptional(),
    profiles: z
      .record(text, partialProfileSchema)
      .readonly()
      .describe('a record of profiles by name')
      .exactOptional(),
    store: path.exactOptional(),
    notify: notifySchema.exactOptional(),
    deniedMounts: z
      .array(text.regex(/^\//).describe('an absolute path'))
      .readonly()
      .describe("a list of absolute paths like ['/gpfs/admin']")
      .exactOptional(),
  })
  .describe('a record with defaultProfile and profiles')

// The compiler holds schema and type together: a field added to one of them alone fails here.
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never
type SameFields<A, B> = Same<keyof A, keyof B> & Same<A, B>
true satisfies SameFields<z.output<typeof resourcesSchema>, Resources>
true satisfies SameFields<z.output<typeof environmentSchema>, NonNullable<Profile['environment']>>
true satisfies SameFields<z.output<typeof profileSchema>, Profile>
true satisfies SameFields<z.output<typeof configSchema>, Config>
