import { loadConfig } from '../config/load.ts'
import { openStore } from '../store/open.ts'
import type { JobStore } from '../store/types.ts'
import { say } from './talk.ts'

/** This machine's record of jobs, without all that calls need. @throws ConfigError, FarcallError STORE_… */
export async function openRecord(): Promise<JobStore> {
  // Jobs of all profiles are on it: none has to be chosen.
  const { storeDir: folder } = await loadConfig({ profile: 'local' })
  return openStore({ folder, warn: say })
}
