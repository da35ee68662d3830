import { FarcallError } from '../../core/errors.ts'
import { type MemberEnd, memberItems, protocolVersion } from '../../core/protocol.ts'
import type { Command } from '../../core/shell.ts'
import type { Scheduler } from '../../scheduler/scheduler.ts'
import type { Persist } from './persist.ts'
import type { WatchedPlace } from './queue.ts'
import { cancelMembersScript } from './queue-scripts.ts'
import { taskOf } from './tasks.ts'
import type { TrackedJob } from './tracked-job.ts'

/** Tries again while what is in the way passes. */

/**
 * Ends jobs and members. All that is asked within one turn of the event loop is one command: schedulers suffer from
 * a thousand `scancel`s.
 */
export class Canceler {
  readonly #place: WatchedPlace
  readonly #persist: Persist
  #asked = new Map<TrackedJob, Set<number>>()
  #sending: Promise<void> | undefined

  constructor(place: WatchedPlace, persist: Persist) {
    this.#place = place
    this.#persist = persist
  }

  cancel(job: TrackedJob, members: readonly number[]): Promise<void> {
    const asked = this.#asked.get(job) ?? new Set()
    for (const member of members) asked.add(member)
    this.#asked.set(job, asked)
    this.#sending ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => this.#send())
    return this.#sending
  }

  async #send(): Promise<void> {
    const asked = this.#asked
    this.#asked = new Map()
    this.#sending = undefined
    const { transport, scheduler, workdir } = this.#place
    const command = cancelCommand(asked, scheduler, workdir)
    if (!command) return
    const result = await this.#persist(() => transport.exec(command))
    if (result.exitCode === 0) return
    const said = result.stderr.trim() || result.exitCode
    throw new FarcallError('COMMAND_FAILED', `${scheduler.name} on ${transport.name}: cancel: ${said}`, {
      transient: true,
    })
  }
}

/** One command for all of them; undefined when none is open. */
export function cancelCommand(
  asked: ReadonlyMap<TrackedJob, ReadonlySet<number>>,
  scheduler: Scheduler,
  workdir: string,
): Command | undefined {
  const natives: string[] = []
  const claims: string[] = []
  for (const [job, members] of asked) {
    const open = [...job.open()]
    const some = open.filter((member) => members.has(member))
    if (some.length === 0) continue
    if (some.length === open.length) {
      natives.push(job.nativeId)
      continue
    }
    const name = scheduler.array?.taskId ?? scheduler.memberId
    if (!name) continue
    for (const member of some) natives.push(name(job.nativeId, taskOf(job.spec, member, scheduler)))
    // Where the job's own script starts the members, one that has not begun never shall.
    if (!scheduler.array) claims.push(...some.map((member) => claimOf(job, member)))
  }
  if (natives.length === 0) return undefined
  const command = scheduler.cancel(natives)
  if (claims.length === 0) return command
  const argv = ['sh', '-c', cancelMembersScript, 'farcall', workdir, ...command.argv]
  return { argv, stdin: claims.map((line) => `${line}\n`).join('') }
}

/** What the script puts into the folder of a member that has not begun: id, attempt, member, client, bytes, end. */
function claimOf({ spec }: TrackedJob, member: number): string {
  const { from, to } = memberItems(spec, member)
  const end: MemberEnd = {
    protocol: protocolVersion,
    id: spec.id,
    attempt: spec.attempt,
    member,
    reason: 'by-user',
    message: 'canceled before it began',
    bytes: 0,
    items: to - from,
  }
  const line = JSON.stringify(end)
  return [spec.id, spec.attempt, member, spec.client, Buffer.byteLength(line) + 1, line].join(' ')
}
