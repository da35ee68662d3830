import { loadStoreDir } from '../config/load.ts'
import { openStore } from '../store/open.ts'
import type { JobStore } from '../store/types.ts'
import { say } from './talk.ts'

/** This machine's record of jobs, without all that calls need. @throws ConfigError, FarcallError STORE_… */
export async function openRecord(): Promise<JobStore> {
  return openStore({ folder: await loadStoreDir({ profile: 'local' }), warn: say })
}
