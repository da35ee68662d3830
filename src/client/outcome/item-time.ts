import type { JobSpec, Work } from '../../core/protocol.ts'
import type { JobStore } from '../../store/types.ts'

/** How long an item of a function takes, as far as that is known. */
export interface ItemTime {
  /** Mean, in seconds. */
  readonly seconds: number
  /** Standard deviation, in seconds. */
  readonly deviation: number
  /** How many items that was measured of; older ones count for less. */
  readonly measured: number
  /** The profile that they ran with. */
  readonly profile: string
}

/** What a function is known by when its code has changed. Undefined: what was typed in has no name to be known by. */
export function functionKey({ file, name, line }: JobSpec['function']): string | undefined {
  if (file === undefined) return undefined
  return `${file}#${name || line || ''}`
}

/** As earlier jobs of this user have shown: with this profile, else with the one that ran it last. */
export function itemTimeOf(
  store: Pick<JobStore, 'times'>,
  key: string | undefined,
  profile: string,
): ItemTime | undefined {
  const known = key === undefined ? [] : store.times(key)
  const found = known.find(({ place }) => place === profile) ?? known[0]
  if (!found) return undefined
  const { items, seconds, squares } = found.work
  const mean = seconds / items
  const deviation = Math.sqrt(Math.max(0, squares / items - mean ** 2))
  return { seconds: mean, deviation, measured: Math.round(items), profile: found.place }
}

export const sumOf = (a: Work, b: Work): Work => ({
  items: a.items + b.items,
  seconds: a.seconds + b.seconds,
  squares: a.squares + b.squares,
})
