import type { Profile } from '../../core/profile.ts'
import type { Scheduler } from '../../scheduler/scheduler.ts'
import type { Transport } from '../../transport/transport.ts'

export interface Place {
  readonly profile: Profile
  readonly scheduler: Scheduler
  readonly transport: Transport
}

/** The scheduler's dialect as this site speaks it; one command, where there is anything to ask. */
export async function adaptScheduler({ profile, scheduler, transport }: Place): Promise<Scheduler> {
  const { site } = scheduler
  return site ? site.adapt(await transport.exec(site.ask()), profile) : scheduler
}
