import { homedir } from 'node:os'
import { cacheFolder } from '../../config/cache-folder.ts'
import type { JobSpec } from '../../core/protocol.ts'
import type { JobPayload } from '../../executor/executor.ts'
import { archiveOf } from './packages.ts'
import { sharedOf } from './shared-files.ts'

/** Files of this machine that a place may need for a job: it may not have them yet, or have lost them. */
export function filesOf(spec: JobSpec): Pick<JobPayload, 'archive' | 'shared'> {
  return { ...archiveOf(spec), ...sharedOf(spec, cacheFolder(process.env, homedir())) }
}
