import { FarcallError } from '../core/errors.ts'
import { isFinal, type JobStatus } from '../core/status.ts'
import type { JobUsage } from '../core/usage.ts'
import { type NamedJob, nameJob, oneItem } from './job-names.ts'
import { stateText } from './job-row.ts'
import { printJson } from './print.ts'
import { openRecord } from './record.ts'
import { bringUpToDate } from './up-to-date.ts'

interface Options {
  readonly profile?: string
  readonly json?: boolean
}

/** Why a job is where it is. */
interface Explained {
  readonly id: string
  readonly state: JobStatus['state']
  readonly reason?: JobStatus['reason']
  /** In the scheduler's words, and in plain ones. */
  readonly message?: string
  /** What to ask for another time. */
  readonly hints: readonly string[]
  /** The last lines that it wrote to stderr. */
  readonly stderr: readonly string[]
}

const lastLines = 20

export async function explainJob(text: string, options: Options): Promise<void> {
  const store = await openRecord()
  const named = nameJob(store, text, options.profile)
  const index = oneItem(named, text)
  await bringUpToDate(store, [named.id])
  const record = store.get(named.id)
  const { onlyLooking } = await import('./only-looking.ts')
  const seen = await onlyLooking(() => look(named, index, options.profile))
  const status = index === undefined && record ? record.status : seen.status
  const { state, reason, message } = status ?? { state: 'NEW' as const }
  const explained: Explained = {
    id: index === undefined ? named.id : `${named.id}[${index}]`,
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    hints: seen.usage?.hints ?? [],
    stderr: isFinal(state) && state !== 'COMPLETED' ? seen.stderr : [],
  }
  if (options.json) printJson(explained)
  else process.stdout.write(explainedText(explained))
}

interface Seen {
  readonly status?: JobStatus
  readonly usage?: JobUsage
  readonly stderr: readonly string[]
}

/** What its files tell, while they are there. */
async function look(
  { id, record }: NamedJob,
  index: number | undefined,
  profile: string | undefined,
): Promise<Seen> {
  const [{ firstFailed, itemAt, overAt, visit }, { readLog }, { jobUsage }] = await Promise.all([
    import('../client/jobs/visit.ts'),
    import('../client/job/log.ts'),
    import('../client/job/measuring.ts'),
  ])
  try {
    const visited = await visit(id, profile === undefined ? {} : { profile })
    if (record && isFinal(record.status.state)) await overAt(visited)
    const { handle, item } = index === undefined ? firstFailed(visited) : itemAt(visited, index)
    const stderr: string[] = []
    for await (const line of readLog(handle, item, { stream: 'stderr' })) {
      stderr.push(line)
      if (stderr.length > lastLines) stderr.shift()
    }
    return { status: item.status, usage: await jobUsage(handle, item), stderr }
  } catch (error) {
    // The record tells what it knows all the same.
    if (error instanceof FarcallError && error.code === 'JOB_UNKNOWN' && record) return { stderr: [] }
    throw error
  }
}

function explainedText({ id, state, reason, message, hints, stderr }: Explained): string {
  const why = message ?? reasons[reason ?? ''] ?? general[state]
  const lines = [`${id}: ${stateText({ state, ...(reason ? { reason } : {}) })}`, `  ${why}`]
  for (const hint of hints) lines.push(`  hint: ${hint}`)
  if (stderr.length > 0) lines.push('  stderr:', ...stderr.map((line) => `    ${line}`))
  return `${lines.join('\n')}\n`
}

const general: Readonly<Record<JobStatus['state'], string>> = {
  NEW: 'it was recorded, and has not been submitted; farcall attach submits it, when its program has ended',
  QUEUED: 'it waits for its turn; the scheduler says no more',
  ACTIVE: 'it runs',
  COMPLETED: 'it ended well; farcall result prints its value',
  FAILED: 'it failed; farcall result tells the error',
  CANCELED: 'it was canceled',
}

const reasons: Readonly<Record<string, string>> = {
  exception: 'the function threw; farcall result tells the error, with its line',
  held: 'it is held',
  timeout: 'its time limit was over',
  'out-of-memory': 'it took more memory than it had asked for',
}
