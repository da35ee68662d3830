import { systemClock } from '../core/clock.ts'
import { Connection } from './connection.ts'
import { prepareFolder } from './folder.ts'
import { Store } from './store.ts'
import type { JobStore, StoreOptions } from './types.ts'

/**
 * The index of jobs in a folder; made when it is not there, set aside with a warning when it is damaged.
 * @throws FarcallError STORE_UNWRITABLE, STORE_UNSAFE, STORE_NEWER
 */
export function openStore({ folder, clock = systemClock, warn }: StoreOptions): JobStore {
  prepareFolder(folder)
  return new Store(folder, new Connection(folder, clock, warn), clock)
}
