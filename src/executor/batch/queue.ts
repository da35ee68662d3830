import type { JobStatus } from '../../core/status.ts'
import type { QueueSnapshot, Scheduler } from '../../scheduler/scheduler.ts'
import type { Transport } from '../../transport/transport.ts'
import { placeFailed } from './place.ts'
import { sharedQueryScript } from './queue-scripts.ts'
import { exits } from './script-exits.ts'

/** Where a scheduler is asked about jobs. */
export interface WatchedPlace {
  readonly transport: Transport
  readonly scheduler: Scheduler
  readonly workdir: string
}

export interface QueueAnswer {
  /** Seconds since the epoch when the scheduler said so, by the server's clock. */
  readonly time: number
  readonly snapshot: QueueSnapshot
}

/**
 * One question for all of a user's jobs. An answer that names no ids serves every farcall process of this user
 * for `goodForSeconds`; 0 asks anew.
 */
export async function askQueue(
  { transport, scheduler, workdir }: WatchedPlace,
  nativeIds: readonly string[],
  goodForSeconds: number,
): Promise<QueueAnswer> {
  const query = scheduler.query(nativeIds)
  const sharable = query.argv.join('\0') === scheduler.query([]).argv.join('\0')
  const shared = [workdir, sharable ? scheduler.name : '', String(sharable ? goodForSeconds : 0)]
  const result = await transport.exec({
    argv: ['sh', '-c', sharedQueryScript, 'farcall', ...shared, ...query.argv],
    ...(query.stdin === undefined ? {} : { stdin: query.stdin }),
  })
  if (result.exitCode === exits.unusable) throw placeFailed(result, transport.name)
  const newline = result.stdout.indexOf(10)
  const head = Buffer.from(result.stdout.subarray(0, newline)).toString('latin1')
  const snapshot = scheduler.parseQuery({ ...result, stdout: result.stdout.subarray(newline + 1) })
  return { time: Number(head.split(' ')[0]), snapshot }
}

/** What is known of jobs that have left the queue: accounting, else what the scheduler still remembers. */
export async function askAccounting(
  { transport, scheduler }: WatchedPlace,
  nativeIds: readonly string[],
): Promise<QueueSnapshot | undefined> {
  if (scheduler.history && scheduler.parseHistory) {
    const snapshot = scheduler.parseHistory(await transport.exec(scheduler.history(nativeIds)))
    // Accounting does not say why a scheduler itself took a job out of its queue.
    const unexplained = nativeIds.filter((id) => isUnexplained(snapshot?.get(id)?.status))
    if (snapshot && unexplained.length > 0 && scheduler.recent && scheduler.parseRecent) {
      const recent = scheduler.parseRecent(await transport.exec(scheduler.recent(unexplained)))
      return new Map([...snapshot, ...recent])
    }
    if (snapshot) return snapshot
  }
  if (scheduler.recent && scheduler.parseRecent)
    return scheduler.parseRecent(await transport.exec(scheduler.recent(nativeIds)))
  return undefined
}

function isUnexplained(status: JobStatus | undefined): boolean {
  return status?.state === 'CANCELED' && status.reason === undefined
}
