import { systemClock } from '../../../src/core/clock.ts'
import type { Profile } from '../../../src/core/profile.ts'
import { type DiagnoseOptions, diagnose } from '../../../src/executor/doctor/doctor.ts'
import type { Rung, Step } from '../../../src/executor/doctor/step.ts'

/** All that the doctor finds. */
export async function steps(profile: Profile, options: Partial<DiagnoseOptions> = {}): Promise<Step[]> {
  const found: Step[] = []
  for await (const step of diagnose(profile, { job: true, waitSeconds: 60, clock: systemClock, ...options }))
    found.push(step)
  return found
}

/** One rung's step. */
export function at(found: readonly Step[], name: Rung): Step {
  const step = found.find((one) => one.name === name)
  if (!step) throw new Error(`no step '${name}' among ${found.map((one) => one.name).join(', ')}`)
  return step
}

/** What is not ok, as `rung: verdict`; not what is slow, which is for the machine of the tests to say. */
export const troubles = (found: readonly Step[]): string[] =>
  found
    .filter(({ verdict }) => verdict !== 'ok' && verdict !== 'slow')
    .map(({ name, verdict }) => `${name}: ${verdict}`)
