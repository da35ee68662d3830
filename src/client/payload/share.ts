import { homedir } from 'node:os'
import { encodeChunks } from '../../codec/codec.ts'
import { cacheFolder } from '../../config/cache-folder.ts'
import { type Shared, SharedValue } from '../../core/shared.ts'
import { keepShared } from './shared-files.ts'

/**
 * A large value that many calls use: it goes to each cluster once, whichever call or program comes first, and calls carry
 * its name only. Capture the handle, or pass it to a call, and read `value` there. The content is what the value holds
 * now: later changes go nowhere. Plain data only, no class instances and no functions.
 *
 * @throws CaptureError VALUE_REFUSED naming the path to what cannot travel; FileError when it cannot be kept on this machine
 * @example
 * import { cluster, range, share } from 'farcall'
 *
 * const table = share(Float64Array.from({ length: 100_000 }, (_, i) => Math.sqrt(i)))
 * const look = cluster((at: number) => table.value[at])
 * const roots = await look.map(range(0, 100_000, 20_000))
 */
export function share<T>(value: T): Shared<T> {
  const blob = keepShared(cacheFolder(process.env, homedir()), encodeChunks(value, { root: 'share' }))
  return new SharedValue(blob, () => value)
}
