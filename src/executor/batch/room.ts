import { SubmitError } from '../../core/errors.ts'
import type { Profile } from '../../core/profile.ts'
import type { CommandResult } from '../../core/shell.ts'
import { parseFree } from '../../core/units.ts'

/** A disk with less than both free takes no job. */
export interface Room {
  readonly kib: number
  /** Of a percent. */
  readonly hundredths: number
}

/** More than any disk has: the other limit alone decides. */
const any: Room = { kib: 2 ** 50, hundredths: 10_001 }

/** @throws ConfigError UNIT_INVALID */
export function roomOf({ minFree }: Pick<Profile, 'minFree'>): Room {
  // 2 % of a large file system is much more than we need, and many are always that full.
  if (minFree === undefined) return { kib: 2 ** 20, hundredths: 200 }
  const { bytes, percent } = parseFree(minFree, 'minFree')
  return {
    kib: bytes === undefined ? any.kib : Math.ceil(bytes / 1024),
    hundredths: percent === undefined ? any.hundredths : Math.round(percent * 100),
  }
}

export function diskLow(result: CommandResult, id: string, place: string, room: Room): SubmitError {
  const [free = 0, size = 0] = Buffer.from(result.stdout).toString('latin1').trim().split(' ').map(Number)
  const wanted = [
    ...(room.kib < any.kib ? [amount(room.kib)] : []),
    ...(room.hundredths < any.hundredths ? [`${room.hundredths / 100} %`] : []),
  ]
  const share = ((100 * free) / size).toFixed(1)
  return new SubmitError(
    'DISK_LOW',
    `job ${id} was not submitted: ${amount(free)} (${share} %) are free for the work folder on ${place}, and ${wanted.join(' or ')} must be`,
    { hint: 'free some space there, name another `workdir`, or set `minFree` of the profile' },
  )
}

function amount(kib: number): string {
  if (kib < 1024) return `${kib} KB`
  return kib < 2 ** 20 ? `${Math.floor(kib / 1024)} MB` : `${Math.floor((10 * kib) / 2 ** 20) / 10} GB`
}
