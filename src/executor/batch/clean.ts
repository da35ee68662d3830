import { FarcallError, ResultError } from '../../core/errors.ts'
import type { JobId } from '../../core/ids.ts'
import type { Profile } from '../../core/profile.ts'
import { isFinal } from '../../core/status.ts'
import { parseDuration } from '../../core/units.ts'
import type { Scheduler } from '../../scheduler/scheduler.ts'
import type { Transport } from '../../transport/transport.ts'
import type { Cleaned, CleanRequest } from '../executor.ts'
import { cleanScript } from './clean-script.ts'
import { listScript } from './find-scripts.ts'
import { parseList } from './list.ts'
import { placeFailed } from './place.ts'
import { askQueue } from './queue.ts'

interface CleanPlace {
  readonly transport: Transport
  readonly scheduler: Scheduler
  readonly workdir: string
}

/** Ages in seconds from which things go; undefined: never. */
export interface Ages {
  readonly collected: number | undefined
  readonly kept: number | undefined
  readonly uncollected: number | undefined
  readonly blobs: number | undefined
}

const hour = 3600
const day = 24 * hour
/** A cleaning that nobody asked for stops by itself after this; the next one goes on. */
const dailySeconds = 5

/** @throws ConfigError UNIT_INVALID */
export function agesOf(profile: Pick<Profile, 'keepFor' | 'keepBlobs'>, request: CleanRequest): Ages {
  const { olderThan } = request
  const collected = olderThan ?? parseDuration(profile.keepFor ?? '7d', 'keepFor')
  // A submission that has touched its blobs has a spec that names them long before that.
  const blobs = Math.max(day, parseDuration(profile.keepBlobs ?? '30d', 'keepBlobs'))
  const scarce = request.when === 'scarce'
  return {
    collected: scarce ? Math.min(hour, collected) : collected,
    kept: olderThan,
    uncollected: request.uncollected ? olderThan : undefined,
    blobs: scarce ? day : blobs,
  }
}

/** Whether a place is to be cleaned that was so long ago when it was opened, `openMs` before now. */
export function isDue(cleanedAgo: number | undefined, openMs: number): boolean {
  return cleanedAgo === undefined || cleanedAgo + openMs / 1000 >= day
}

/** Removes what is done with. @throws FarcallError COMMAND_FAILED, TransportError */
export async function cleanPlace(place: CleanPlace, ages: Ages, request: CleanRequest): Promise<Cleaned> {
  const over = ages.uncollected === undefined ? [] : await jobsOver(place)
  const { transport, workdir } = place
  const daily = request.when === 'daily'
  const mode = request.dryRun ? 'dry' : daily ? 'daily' : 'now'
  const seconds = [ages.collected, ages.kept, ages.uncollected, ages.blobs].map((age) =>
    age === undefined ? '' : String(Math.ceil(age)),
  )
  const limit = String(daily ? dailySeconds : 0)
  const argv = ['sh', '-c', cleanScript, 'farcall', workdir, mode, ...seconds, limit]
  const stdin = over.map((id) => `${id}\n`).join('')
  const timeoutMs = daily ? 4 * dailySeconds * 1000 : hour * 1000
  const result = await transport.exec({ argv, stdin }, { timeoutMs })
  if (result.exitCode !== 0)
    throw new FarcallError(
      'COMMAND_FAILED',
      `${transport.name}: cleaning up: ${result.stderr.trim() || `exit code ${result.exitCode}`}`,
      { hint: 'nothing was lost; what is done with stays until the next time' },
    )
  return parseCleaned(Buffer.from(result.stdout).toString('latin1'))
}

export function parseCleaned(text: string): Cleaned {
  const of = (mark: string) =>
    text.split('\n').flatMap((line) => (line.startsWith(`${mark} `) ? [line.slice(mark.length + 1)] : []))
  const kib = of('kib').reduce((sum, value) => sum + Number(value), 0)
  return { jobs: of('job'), blobs: of('blob'), bytes: kib * 1024 }
}

/** Jobs that cannot run any more: all members have ended, or the queue has it no longer. The script leaves collected ones. */
async function jobsOver({ transport, scheduler, workdir }: CleanPlace): Promise<JobId[]> {
  const result = await transport.exec({ argv: ['sh', '-c', listScript, 'farcall', workdir] })
  if (result.exitCode !== 0) throw placeFailed(result, transport.name)
  const { jobs, unreadable } = parseList(Buffer.from(result.stdout).toString('utf8'), scheduler)
  const over = jobs.flatMap(({ spec, status }) => (isFinal(status.state) ? [spec.id] : []))
  // One without a native id was cut off while it was submitted: it may be in the queue.
  const open = jobs.flatMap(({ spec, status, nativeId }) =>
    isFinal(status.state) || nativeId === undefined ? [] : [{ id: spec.id, nativeIds: [nativeId] }],
  )
  // A damaged spec does not say how many members there are: only the queue knows whether it may run. That of a newer
  // farcall is not ours to judge.
  const damaged = unreadable.flatMap(({ id, error, nativeIds }) =>
    nativeIds && error instanceof ResultError && error.code === 'RESULT_CORRUPT' ? [{ id, nativeIds }] : [],
  )
  const asked = [...open, ...damaged]
  const natives = asked.flatMap(({ nativeIds }) => nativeIds)
  const { snapshot } = natives.length > 0 ? await askQueue({ transport, scheduler, workdir }, natives, 0) : {}
  const isGone = (nativeId: string) => {
    const entry = snapshot?.get(nativeId)
    if (!entry) return true
    return [entry.status, ...(entry.members?.values() ?? []), ...(entry.rest ? [entry.rest] : [])].every(
      ({ state }) => isFinal(state),
    )
  }
  return [...over, ...asked.flatMap(({ id, nativeIds }) => (nativeIds.every(isGone) ? [id] : []))]
}
