import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JobStore } from '../../store/types.ts'

const day = 24 * 3600 * 1000
const limits = { maxAgeMs: 90 * day, maxBytes: 500 * 2 ** 20 }

/** Trims a store unless that was done within a day, by whichever program. */
export function trimRecordsDaily(store: JobStore, now: number): void {
  const stamp = join(store.folder, 'trimmed')
  try {
    const before = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs
    if (before !== undefined && Math.abs(now - before) < day) return
    writeFileSync(stamp, '', { mode: 0o600 })
    store.trim({ now, ...limits })
  } catch (error) {
    process.emitWarning(
      `farcall: the record of jobs in ${store.folder} could not be trimmed: ${String(error)}`,
    )
  }
}
