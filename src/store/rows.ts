import type { JobSpec } from '../core/protocol.ts'
import type { JobStatus } from '../core/status.ts'
import type { Row, Value } from './database.ts'
import type { JobRecord, JobRow, ListedRow, StoredUsage } from './types.ts'

/** The columns of jobs that a JobRow is made of. */
export const rowColumns =
  'id, attempt, native_id, name, function, profile, tags, items, members, done, failed, status, created, submitted, ended, collected'

const parse = <T>(text: Value | undefined): T => JSON.parse(text as string) as T

export function toJobRow(row: Row): JobRow {
  return {
    id: row['id'] as string,
    attempt: row['attempt'] as number,
    name: row['name'] as string,
    function: row['function'] as string,
    profile: row['profile'] as string,
    tags: row['tags'] === null ? [] : parse<string[]>(row['tags']),
    items: row['items'] as number,
    members: row['members'] as number,
    status: parse<JobStatus>(row['status']),
    createdAt: row['created'] as number,
    ...optional('done', row['done']),
    ...optional('failed', row['failed']),
    ...optional('nativeId', row['native_id']),
    ...optional('submittedAt', row['submitted']),
    ...optional('endedAt', row['ended']),
    ...optional('collectedAt', row['collected']),
  }
}

export function toListedRow(row: Row): ListedRow {
  return {
    ...toJobRow(row),
    provenance: parse(row['provenance']),
    ...optional('nodeVersion', row['node_version']),
  }
}

/** Of a row that joins jobs, details and the latest attempt. */
export function toJobRecord(row: Row): JobRecord {
  return {
    ...toListedRow(row),
    spec: parse<JobSpec>(row['spec']),
    profileSettings: parse(row['settings']),
    owner: parse(row['owner']),
    // JSON writes undefined in a list as null.
    cacheKeys:
      row['cache_keys'] === null
        ? []
        : parse<(string | null)[]>(row['cache_keys']).map((key) => key ?? undefined),
    hasPayload: row['has_payload'] === 1,
    ...optional('folder', row['folder']),
    ...usageOf(row['usage']),
  }
}

/** An older farcall recorded something else there. */
function usageOf(text: Value | undefined): Pick<JobRecord, 'usage'> {
  const usage = text === null || text === undefined ? undefined : parse<Partial<StoredUsage>>(text)
  return usage?.members && usage.environments ? { usage: usage as StoredUsage } : {}
}

function optional<K extends string>(key: K, value: Value | undefined) {
  return (value === null || value === undefined ? {} : { [key]: value }) as object as { [P in K]?: never }
}
