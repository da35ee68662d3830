/** Walks the ladder from the host's name to a job on a compute node. */
import type { Clock } from '../../core/clock.ts'
import { ConfigError, FarcallError } from '../../core/errors.ts'
import { parseNodeSetting } from '../../core/node-setting.ts'
import { type Profile, unnamedScheduler } from '../../core/profile.ts'
import { resolveResources } from '../../core/resolve-resources.ts'
import { findScheduler } from '../../scheduler/all.ts'
import { knock, lookUp } from '../../transport/knock.ts'
import { openTransport } from '../../transport/open.ts'
import { type LoginProfile, resolveTarget } from '../../transport/ssh-config.ts'
import type { Transport } from '../../transport/transport.ts'
import { type Place, probePlace } from '../batch/place.ts'
import { detectSchedulers, theOnly } from '../detect.ts'
import { requireLogin } from '../login.ts'
import { judgeClocks } from './clocks.ts'
import { judgeJob, judgeRefusal } from './compute-node.ts'
import { type JobAnswer, tinyResources, tryJob } from './job.ts'
import { judgeNode, judgeQuota, judgeShell, judgeSpace } from './login-node.ts'
import { findOut } from './scheduler.ts'
import { failure, ok, type Step, skipped, span, trouble } from './step.ts'
import { survey } from './survey.ts'
import { judgeLogin, judgeName, judgePort, type Way } from './way.ts'

export interface DiagnoseOptions {
  /** Whether a tiny job is submitted. */
  readonly job: boolean
  /** How long it may wait, seconds. */
  readonly waitSeconds: number
  readonly clock: Clock
  readonly signal?: AbortSignal | undefined
  /** What is being done, for whoever watches. */
  readonly onStatus?: ((text: string) => void) | undefined
  /** Is told the scheduler that was found, of a profile that names none. */
  readonly onScheduler?: (name: string) => void
}

/**
 * Looks at a place, rung by rung, and gives each as soon as it is known. Ends early where nothing further can be known.
 * @throws ConfigError for a profile that cannot be used as written
 */
export async function* diagnose(profile: Profile, options: DiagnoseOptions): AsyncGenerator<Step> {
  requireLogin(profile)
  // A profile that names none has it found out once there is a way to the place.
  const named = profile.scheduler === unnamedScheduler ? undefined : findScheduler(profile.scheduler)
  const resources = resolveResources(profile.resources ?? {}, 'resources.')
  const { onStatus } = options
  let lost = false
  if (profile.host !== undefined)
    for await (const step of theWay({ ...profile, host: profile.host }, onStatus)) {
      yield step
      lost = step.verdict === 'failed'
    }
  if (lost) return

  await using transport = openTransport(profile)
  const reached = await reach(transport)
  if (profile.host !== undefined) {
    const steps = judgeLogin(transport.name, reached)
    yield* steps
    if (steps.some(({ verdict }) => verdict === 'failed')) return
  } else if (reached.error !== undefined) throw reached.error

  onStatus?.('measuring the link')
  const link = await measure(transport, options.clock)
  if (profile.host !== undefined) yield judgeLink(link.roundTrip)

  let scheduler = named
  if (scheduler === undefined) {
    onStatus?.('looking for a scheduler')
    try {
      const found = theOnly(await detectSchedulers(transport), transport.name)
      options.onScheduler?.(found)
      scheduler = findScheduler(found)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      yield failure('scheduler', error, '')
      return
    }
  }

  const place = await findPlace(transport, profile.workdir ?? '$HOME/.farcall')
  let found: Awaited<ReturnType<typeof survey>> | undefined
  if ('step' in place) yield place.step
  else {
    onStatus?.('looking at the login node')
    found = await survey(transport, place.workdir, nodeName(profile))
    if (found.shell.name !== '') yield judgeShell(found)
    yield ok('workdir', place.workdir, { workdir: place.workdir })
    yield ok('permissions', 'yours alone to write to')
    yield judgeSpace(found, place.workdir, profile, scheduler.immediate === true)
    yield judgeQuota(found)
  }

  onStatus?.('asking the scheduler')
  const known = await findOut(transport, profile, scheduler, resources, named === undefined)
  yield* known.steps
  const obstacle = obstacleTo(options.job, 'step' in place, known.there)
  if (found) yield judgeNode(found, obstacle === undefined)

  let answer: JobAnswer | undefined
  if (obstacle !== undefined || 'step' in place) yield skipped('job', obstacle ?? '')
  else {
    try {
      answer = await tryJob(
        { transport, scheduler: known.scheduler, profile, workdir: place.workdir },
        options,
      )
      yield* judgeJob(answer, place.workdir, scheduler, tinyResources(resources), profile.environment?.node)
    } catch (error) {
      if (!(error instanceof FarcallError)) throw error
      yield judgeRefusal(error)
    }
  }
  const report = answer?.report
  const node = report && report.clock > 0 ? report.clock - report.loginClock : undefined
  const lag = answer?.thereAndBack ?? neverSeenSeconds
  if (profile.host !== undefined || !scheduler.immediate)
    yield judgeClocks({ login: link.ahead, uncertainty: 1 + link.roundTrip, node, lag })
}

function obstacleTo(wanted: boolean, noPlace: boolean, there: boolean): string | undefined {
  if (!wanted) return 'not asked for (--no-job): whether compute nodes are fit for calls is not known'
  if (noPlace) return 'there is no work folder to tell from'
  return there ? undefined : 'there is no scheduler to submit it to, see above'
}

/** The program that is asked for its version on the login node. */
function nodeName({ environment }: Profile): string {
  const setting = parseNodeSetting(environment?.node ?? 'auto')
  return setting?.kind === 'path' ? setting.path : 'node'
}

/** The part of the way that is looked at before anybody logs in: to the host, or to the first hop of the way there. */
async function* theWay(
  profile: Profile & { host: string },
  onStatus: DiagnoseOptions['onStatus'],
): AsyncGenerator<Step> {
  const hops = await hopsTo(profile)
  const first = hops[0]!
  if (first.command !== undefined) {
    yield skipped('name', `${profile.host} is reached by a ProxyCommand of ~/.ssh/config: ${first.command}`)
    return
  }
  onStatus?.(`looking up ${first.host}`)
  const over = hops.length > 1 ? { leadsTo: hops.at(-1)!.host } : {}
  const way = { ...first, ...over }
  const name = judgeName(way, await lookUp(first.host))
  yield name
  if (name.verdict === 'failed') return
  onStatus?.(`knocking at ${first.host}:${first.port}`)
  yield judgePort(way, await knock(first.host, first.port))
}

/** The first hop in front. */
async function hopsTo(profile: LoginProfile): Promise<(Way & { command?: string })[]> {
  const { host, port, way } = await resolveTarget(profile)
  const hop = { alias: profile.host.replace(/^.*@/, ''), host, port }
  if (way === undefined) return [hop]
  if ('command' in way) return [{ ...hop, command: way.command }]
  return [...(await hopsTo(way.jump)), hop]
}

async function reach(transport: Transport): Promise<{ error?: unknown; ms: number }> {
  const begun = performance.now()
  try {
    await transport.open()
    // The login shell, too.
    await transport.exec({ argv: ['true'] })
    return { ms: performance.now() - begun }
  } catch (error) {
    return { error, ms: performance.now() - begun }
  }
}

/** A round trip, and what the clock there is ahead of ours, seconds. */
async function measure(transport: Transport, clock: Clock): Promise<{ roundTrip: number; ahead: number }> {
  const trips: { seconds: number; ahead: number }[] = []
  for (let n = 0; n < 5; n++) {
    const sent = clock.now()
    const begun = performance.now()
    const result = await transport.exec({ argv: ['date', '+%s'] })
    const seconds = (performance.now() - begun) / 1000
    // It is cut to whole seconds: half of one more, on average.
    const there = Number(Buffer.from(result.stdout).toString('latin1').trim()) + 0.5
    trips.push({ seconds, ahead: there - (sent / 1000 + seconds / 2) })
  }
  trips.sort((a, b) => a.seconds - b.seconds)
  return { roundTrip: trips[2]!.seconds, ahead: trips[0]!.ahead }
}

const slowTripSeconds = 0.4
/** What the job has not seen by then is late by more. */
const neverSeenSeconds = 30

export function judgeLink(seconds: number): Step {
  const found = `a command and its answer take ${span(seconds)}`
  if (seconds < slowTripSeconds) return ok('link', found, { seconds })
  return trouble(
    'link',
    'slow',
    found,
    'a long way, or a busy login node; farcall makes few round trips, so that calls suffer little',
    { facts: { seconds } },
  )
}

async function findPlace(transport: Transport, workdir: string): Promise<Place | { step: Step }> {
  try {
    return await probePlace(transport, workdir, [])
  } catch (error) {
    if (!(error instanceof FarcallError)) throw error
    return {
      step: failure(
        error.code === 'WORKDIR_UNSAFE' ? 'permissions' : 'workdir',
        error,
        'name another `workdir`',
      ),
    }
  }
}
