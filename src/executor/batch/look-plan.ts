/** How often files are looked at, by the age of the youngest job: [age below ms, ms between looks]. */
type LookPlan = readonly [readonly [number, number], ...(readonly [number, number])[]]

const queued: LookPlan = [[60_000, 250]]
/** Where there is no queue a result may come as soon as a Node can start. */
const immediate: LookPlan = [[500, 10], [3_000, 30], ...queued]

/** A wait on the cluster lasts no longer than this, so that a new job is looked at closely soon. */
const waitMs = 2_000

/** While a stream flows, its next values are awaited like the result of a job that has just begun. */
function flow([[, step]]: LookPlan, ageMs: number): [until: number, step: number] {
  return [ageMs + waitMs, step]
}

/** The next wait: milliseconds between looks, and how many looks it has. */
export function planLooks(
  ageMs: number,
  place: { immediate: boolean; filePollMs: number; flowing?: boolean },
): { step: number; looks: number } {
  const plan = place.immediate ? immediate : queued
  const byAge = plan.find(([limit]) => ageMs < limit) ?? [Number.POSITIVE_INFINITY, place.filePollMs]
  const [until, step] = place.flowing && byAge[1] > plan[0][1] ? flow(plan, ageMs) : byAge
  return { step, looks: Math.max(1, Math.ceil(Math.min(waitMs, until - ageMs) / step)) }
}
