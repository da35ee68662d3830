import type { PartitionCapacity } from '../../core/capacity.ts'
import { nearest } from '../../core/nearest.ts'
import type { Profile } from '../../core/profile.ts'
import type { ResolvedResources } from '../../core/resources.ts'
import type { CommandResult } from '../../core/shell.ts'
import type { Scheduler } from '../../scheduler/scheduler.ts'
import type { Transport } from '../../transport/transport.ts'
import { adaptScheduler } from '../batch/site.ts'
import { detectSchedulers } from '../detect.ts'
import { failure, ok, type Step, span, trouble } from './step.ts'

export interface SchedulerFound {
  readonly steps: readonly Step[]
  /** Whether a job can be tried. */
  readonly there: boolean
  /** As it is spoken there. */
  readonly scheduler: Scheduler
}

export async function findOut(
  transport: Transport,
  profile: Profile,
  usual: Scheduler,
  resources: ResolvedResources,
  unnamed = false,
): Promise<SchedulerFound> {
  const detected = await transport.exec(usual.detect())
  if (detected.exitCode !== 0)
    return { steps: [await missing(transport, usual)], there: false, scheduler: usual }
  const scheduler = await adaptScheduler({ transport, profile, scheduler: usual })
  const [version, capacity, size] = await Promise.all([
    scheduler.version && transport.exec(scheduler.version()),
    // What one machine has is told by other steps.
    scheduler.immediate ? undefined : transport.exec(scheduler.capacity()),
    scheduler.array?.sizeLimit && transport.exec(scheduler.array.sizeLimit()),
  ])
  const steps = [judgeVersion(scheduler, version, detected, unnamed)]
  if (!capacity) return { steps, there: true, scheduler }
  try {
    const partitions = scheduler.parseCapacity(capacity)
    const maxArray = size ? scheduler.array?.parseSizeLimit?.(size) : siteLimit(scheduler)
    steps.push(judgePartitions(partitions, resources), judgeLimits(partitions, resources, maxArray))
  } catch (error) {
    steps.push(failure('partitions', error, controllerHint))
  }
  return { steps, there: steps.every(({ verdict }) => verdict !== 'failed'), scheduler }
}

/** Where the site was asked as a whole. */
function siteLimit({ site, array }: Scheduler): number | undefined {
  const limit = site?.words ? array?.defaultSize : undefined
  return limit === Number.POSITIVE_INFINITY ? undefined : limit
}

const controllerHint =
  "the scheduler's own commands do not work there just now: try them by hand, and see the site's status page"

function judgeVersion(
  scheduler: Scheduler,
  result: CommandResult | undefined,
  detected: CommandResult,
  unnamed: boolean,
): Step {
  const version = result && scheduler.parseVersion?.(result)
  const path = Buffer.from(detected.stdout).toString('utf8').split('\n')[0]!.trim()
  const named = [scheduler.name, version].filter(Boolean).join(' ')
  const found = scheduler.immediate
    ? `${scheduler.name}: jobs start at once, as processes of this machine`
    : `${named}${path.startsWith('/') ? ` (${path})` : ''}`
  const site = scheduler.site?.words ?? []
  const how = unnamed ? ['found there, as the profile names none'] : []
  return ok('scheduler', [found, ...how, ...site].join('; '), {
    scheduler: scheduler.name,
    version,
    path,
    ...(site.length > 0 && { site }),
  })
}

/** Its commands are not there: perhaps those of another are. */
async function missing(transport: Transport, scheduler: Scheduler): Promise<Step> {
  const there = await detectSchedulers(transport)
  return judgeMissing(
    scheduler,
    there.filter((name) => name !== scheduler.name),
  )
}

export function judgeMissing(
  scheduler: Pick<Scheduler, 'name' | 'immediate'>,
  there: readonly string[],
): Step {
  const facts = { scheduler: scheduler.name, others: there }
  const more = { code: 'SCHEDULER_MISSING', facts } as const
  if (scheduler.immediate)
    return trouble(
      'scheduler',
      'failed',
      'jobs cannot be started as processes there',
      'direct needs Linux, with /proc and setsid (util-linux or busybox)',
      more,
    )
  const found = `the commands of ${scheduler.name} are not on PATH of a login shell there`
  if (there.length > 0)
    return trouble(
      'scheduler',
      'failed',
      `${found}; those of ${there.join(', ')} are`,
      `set \`scheduler: ${there[0]}\` in the profile`,
      more,
    )
  return trouble(
    'scheduler',
    'failed',
    found,
    `is this a login node of the cluster? If they come by a module, load it in ~/.profile there; \`scheduler: direct\` runs jobs on that machine itself`,
    more,
  )
}

export function judgePartitions(
  partitions: readonly PartitionCapacity[],
  { partition }: Pick<ResolvedResources, 'partition'>,
): Step {
  const facts = { partitions }
  const names = partitions.map(({ name, isDefault }) => `${name}${isDefault ? ' (default)' : ''}`)
  const all =
    names.length > 8 ? `${names.slice(0, 8).join(', ')} and ${names.length - 8} more` : names.join(', ')
  if (partitions.length === 0)
    return trouble(
      'partitions',
      'failed',
      'there is no partition that you may use',
      'ask the site whether your account is active',
      { facts },
    )
  const wanted = partition?.split(',')
  const unknown = wanted?.find((name) => !partitions.some((one) => one.name === name))
  if (unknown !== undefined) {
    const near = nearest(
      unknown,
      partitions.map(({ name }) => name),
    )
    return trouble(
      'partitions',
      'failed',
      `there is no partition '${unknown}'; there are ${all}`,
      near === undefined
        ? 'set `resources.partition` in the profile'
        : `did you mean '${near}'? Set \`resources.partition\` in the profile`,
      { code: 'SUBMIT_REFUSED', facts },
    )
  }
  const chosen = chosenOf(partitions, partition)
  if (chosen.length === 0)
    return trouble(
      'partitions',
      'warning',
      `no partition is the default; there are ${all}`,
      'set `resources.partition` in the profile',
      { facts },
    )
  const down = chosen.filter(({ up }) => !up)
  if (down.length === chosen.length)
    return trouble(
      'partitions',
      'warning',
      `${down.map(({ name }) => name).join(', ')} starts no jobs now; there are ${all}`,
      "wait (the site's status page may say until when), or set another `resources.partition`",
      { facts },
    )
  const nodes = chosen.flatMap(({ name, nodes }) => {
    if (!nodes) return []
    const closed = nodes.down + nodes.drained + nodes.other
    return `${name} has ${nodes.total} nodes, ${nodes.idle} idle${closed > 0 ? `, ${closed} down, drained or reserved` : ''}`
  })
  return ok('partitions', [all, ...nodes].join('; '), facts)
}

/** The partitions that a job may go to. */
function chosenOf(partitions: readonly PartitionCapacity[], partition: string | undefined) {
  const wanted = partition?.split(',')
  return partitions.filter(({ name, isDefault }) => (wanted ? wanted.includes(name) : isDefault))
}

export function judgeLimits(
  partitions: readonly PartitionCapacity[],
  { partition, timeSeconds }: Pick<ResolvedResources, 'partition' | 'timeSeconds'>,
  maxArray: number | undefined,
): Step {
  const chosen = chosenOf(partitions, partition)
  const facts = {
    maxArray,
    time: chosen.map(({ name, timeLimitSeconds }) => ({ partition: name, seconds: timeLimitSeconds })),
  }
  const long = chosen.filter(
    ({ timeLimitSeconds }) =>
      timeLimitSeconds !== undefined && timeSeconds !== undefined && timeSeconds > timeLimitSeconds,
  )
  if (long.length > 0 && long.length === chosen.length)
    return trouble(
      'limits',
      'failed',
      `the profile asks for ${span(timeSeconds!)}, and ${long.map(({ name, timeLimitSeconds }) => `${name} allows ${span(timeLimitSeconds!)}`).join(', ')}`,
      'lower `resources.time` of the profile, or set another `resources.partition`',
      { code: 'SUBMIT_REFUSED', facts },
    )
  const parts = [
    ...chosen.map(
      ({ name, timeLimitSeconds }) =>
        `${name}: ${timeLimitSeconds === undefined ? 'no time limit' : `up to ${span(timeLimitSeconds)}`}`,
    ),
    ...(maxArray === undefined ? [] : [`arrays of up to ${maxArray}`]),
  ]
  return ok('limits', parts.join('; ') || 'none is told', facts)
}
