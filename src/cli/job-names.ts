import { ConfigError, FarcallError } from '../core/errors.ts'
import { isJobId, type JobId } from '../core/ids.ts'
import { nearest } from '../core/nearest.ts'
import type { JobRecord, JobStore } from '../store/types.ts'

/** A job as the user named it. */
export interface NamedJob {
  readonly id: JobId
  /** Absent: it is not on record here, and may be on a place. */
  readonly record?: JobRecord
  /** Items of it, by their numbers; absent: all of it. */
  readonly items?: readonly number[]
}

/** More than anybody writes out. */
const mostItems = 100_000
const many = 10_000

/**
 * Jobs by their ids, the beginnings of those (from four characters on), or the scheduler's ids; `ID[3]`, `ID[3-7,9]` are
 * items of a map, `A..B` all jobs on record that were made from A to B.
 * @throws ConfigError OPTION_INVALID, FarcallError JOB_UNKNOWN
 */
export function nameJobs(store: JobStore, texts: readonly string[], profile?: string): NamedJob[] {
  const all = texts.flatMap((text) => {
    const range = /^(.+?)\.\.(.+)$/.exec(text)
    return range ? between(store, range[1]!, range[2]!, profile) : [nameJob(store, text, profile)]
  })
  const seen = new Set<string>()
  return all.filter(({ id, items }) => {
    const key = `${id} ${items?.join(',') ?? ''}`
    return !seen.has(key) && seen.add(key)
  })
}

/** One of them. @throws ConfigError OPTION_INVALID, FarcallError JOB_UNKNOWN */
export function nameJob(store: JobStore, text: string, profile?: string): NamedJob {
  const [, name = '', list] = /^(.*?)(?:\[([^\]]*)\])?$/s.exec(text)!
  const items = list === undefined ? {} : { items: readItems(list, text) }
  const found = store.find(name)
  const exact = found.filter((row) => row.id === name)
  const rows = (exact.length > 0 ? exact : found).filter(
    (row) => profile === undefined || row.profile === profile,
  )
  const ids = [...new Set(rows.map(({ id }) => wholeOf(store, id)))]
  if (ids.length > 1)
    throw new ConfigError(
      'OPTION_INVALID',
      `'${name}' may be ${ids.length} jobs: ${ids.slice(0, 5).join(', ')}`,
      {
        hint: 'give more of the id, or --profile',
      },
    )
  const [id] = ids
  const record = id === undefined ? undefined : store.get(id)
  if (id !== undefined && record) return { id, record, ...items }
  if (isJobId(name)) return { id: name, ...items }
  throw unknown(store, name, profile)
}

/** Of a map of several jobs, its own. */
function wholeOf(store: JobStore, id: JobId): JobId {
  return store.get(id)?.spec.part?.of ?? id
}

function unknown(store: JobStore, name: string, profile: string | undefined): FarcallError {
  const rows = store.list({ maps: true, ...(profile === undefined ? {} : { profile }) })
  const near = nearest(
    name,
    rows.map(({ id }) => (name.length < 12 ? id.slice(0, name.length) : id)),
  )
  const meant = rows.find(({ id }) => near !== undefined && id.startsWith(near))
  const hint = meant
    ? `did you mean ${meant.id} (${meant.name})?`
    : 'farcall list --all has those on record; of others the whole id is needed, and --profile'
  const of = profile === undefined ? '' : ` of profile '${profile}'`
  return new FarcallError('JOB_UNKNOWN', `there is no job '${name}'${of} on record here`, { hint })
}

function readItems(list: string, text: string): number[] {
  const items = list.split(',').flatMap((part) => {
    const match = /^\s*(\d+)(?:\s*-\s*(\d+))?\s*$/.exec(part)
    const from = Number(match?.[1])
    const to = Number(match?.[2] ?? from)
    if (!match || to < from || to - from >= mostItems)
      throw new ConfigError('OPTION_INVALID', `'${text}': '${part}' is no item, and no range of items`, {
        hint: "items are counted from 0: 'ID[3]', 'ID[3-7]', 'ID[0,4-6]'",
      })
    return Array.from({ length: to - from + 1 }, (_, at) => from + at)
  })
  return [...new Set(items)].sort((a, b) => a - b)
}

/** Made from one to the other, whichever is older. */
function between(store: JobStore, first: string, last: string, profile: string | undefined): NamedJob[] {
  const ends = [first, last].map((text) => {
    const { record, items } = nameJob(store, text, profile)
    if (record && !items) return record.createdAt
    throw new ConfigError('OPTION_INVALID', `'${first}..${last}': '${text}' is no whole job on record here`, {
      hint: "items of one job are written 'ID[3-7]'",
    })
  })
  const [since, until] = [Math.min(...ends), Math.max(...ends)]
  const filter = { maps: true, since, until: until + 1, limit: many } as const
  return store
    .list({ ...filter, ...(profile === undefined ? {} : { profile }) })
    .reverse()
    .map(({ id }) => ({ id, record: store.get(id)! }))
}

/** What is wanted of commands that are about one job or item. */
export function oneItem({ items }: NamedJob, text: string): number | undefined {
  if (items === undefined) return undefined
  if (items.length === 1) return items[0]
  throw new ConfigError('OPTION_INVALID', `'${text}' is ${items.length} items, and one is wanted`)
}
