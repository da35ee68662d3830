import { Command } from 'commander'
import { ConfigError } from '../../core/errors.ts'
import { isFinal } from '../../core/status.ts'
import type { JobStore } from '../../store/types.ts'
import { openStates, readStates } from '../job-filter.ts'
import { type NamedJob, nameJobs } from '../job-names.ts'
import { jsonOption, printJson } from '../print.ts'
import { openRecord } from '../record.ts'
import { say } from '../talk.ts'
import { bringUpToDate } from '../up-to-date.ts'

interface Options {
  all?: true
  state?: string
  profile?: string
  yes?: true
  dryRun?: true
  json?: true
}

const many = 10_000
/** Schedulers take a while to end what runs; what has not ended then is told by the next `farcall list`. */
const endsMs = 5_000

export function cancelCommand(): Command {
  return new Command('cancel')
    .argument(
      '[id...]',
      'jobs: ids or their beginnings, the scheduler’s ids; ID[3-7] for items, A..B for all made between',
    )
    .option('-a, --all', 'all that are under way, of those on record here')
    .option('--state <states>', 'with --all: only these, like QUEUED')
    .option(
      '--profile <name>',
      'only those of this profile; of a job that is not on record here, where it was sent',
    )
    .option('-y, --yes', 'with --all: do not ask')
    .option('-n, --dry-run', 'only show which')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Prints the ids of what was canceled. What is over is left alone. Results of items that are done stay, until somebody takes
them. Of a task that runs several items, items alone cannot be ended: their results are not looked at.

Examples:
  farcall cancel fqp3ikcfdfl4z4
  farcall cancel 'fqp3[3-7,12]'
  farcall cancel fqp3..fmiq
  farcall cancel --all --state QUEUED --profile hpc --dry-run

Exit code: 0, also when there was nothing to cancel; 1 when you say no.`,
    )
    .action(cancel)
}

async function cancel(texts: string[], options: Options): Promise<void> {
  const { all, state, profile, yes = false, dryRun, json } = options
  if (texts.length > 0 === (all === true))
    throw new ConfigError(
      'OPTION_INVALID',
      texts.length > 0 ? '--all and ids do not go together' : 'no job is named',
      {
        hint: 'farcall cancel ID…, or farcall cancel --all',
      },
    )
  if (state !== undefined && !all) throw new ConfigError('OPTION_INVALID', '--state goes with --all')
  const store = await openRecord()
  const named = all ? await openJobs(store, options) : nameJobs(store, texts, profile)
  const open = named.filter(({ record }) => !record || !isFinal(record.status.state))
  for (const { id, record } of named)
    if (record && isFinal(record.status.state)) say(`job ${id} is over (${record.status.state})`)
  if (dryRun || open.length === 0) {
    if (dryRun) await requireCancelable(open, profile)
    if (open.length > 0) say(`these would be canceled:`)
    else if (all) say('nothing is under way')
    tell(open, json, dryRun ?? false)
    return
  }
  const question = `Cancel ${open.length === 1 ? 'a job' : `${open.length} jobs`}: ${open.map(shownJob).join(', ')}?`
  if (all && !(await (await import('../ask.ts')).agrees(question, yes))) {
    say('nothing was canceled')
    process.exitCode = 1
    return
  }
  await cancelJobs(open, profile)
  tell(open, json, false)
}

const shownJob = ({ id, record }: NamedJob) => `${id}${record ? ` (${record.name})` : ''}`

async function openJobs(store: JobStore, { state, profile }: Options): Promise<NamedJob[]> {
  const asked = state === undefined ? openStates : readStates(state)
  const of = { maps: true, limit: many, ...(profile === undefined ? {} : { profile }) } as const
  const known = store
    .list({ ...of, state: openStates })
    .filter(({ collectedAt }) => collectedAt === undefined)
  await bringUpToDate(
    store,
    known.map(({ id }) => id),
  )
  return store
    .list({ ...of, state: asked })
    .filter(({ status, collectedAt }) => !isFinal(status.state) && collectedAt === undefined)
    .map(({ id }) => ({ id, record: store.get(id)! }))
}

/** What would be refused is refused now. */
async function requireCancelable(jobs: readonly NamedJob[], profile: string | undefined): Promise<void> {
  const parts = jobs.flatMap(({ id, items }) => (items ? [{ id, items }] : []))
  if (parts.length === 0) return
  const [{ onlyLooking }, { cancelableAt, visit }] = await Promise.all([
    import('../only-looking.ts'),
    import('../../client/jobs/visit.ts'),
  ])
  await onlyLooking(async () => {
    const at = profile === undefined ? {} : { profile }
    for (const { id, items } of parts) cancelableAt(await visit(id, at), items)
  })
}

async function cancelJobs(jobs: readonly NamedJob[], profile: string | undefined): Promise<void> {
  const [{ onlyLooking }, { cancelVisited, overAt, visit }] = await Promise.all([
    import('../only-looking.ts'),
    import('../../client/jobs/visit.ts'),
  ])
  await onlyLooking(async () => {
    const at = profile === undefined ? {} : { profile }
    const done = await Promise.allSettled(
      jobs.map(async ({ id, items }) => {
        const visited = await visit(id, at)
        await cancelVisited(visited, items)
        if (items === undefined) await Promise.race([overAt(visited), patience()])
      }),
    )
    const failed = done.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
    if (failed.length === 1) throw failed[0]
    if (failed.length > 1)
      throw new AggregateError(failed, `${failed.length} of ${jobs.length} jobs could not be canceled`)
  })
}

const patience = () => new Promise<void>((resolve) => setTimeout(resolve, endsMs).unref())

function tell(jobs: readonly NamedJob[], json: true | undefined, dryRun: boolean): void {
  if (json) {
    printJson(jobs.map(({ id, items }) => ({ id, ...(items ? { items } : {}), canceled: !dryRun })))
    return
  }
  for (const { id, items } of jobs) process.stdout.write(`${id}${items ? `[${items.join(',')}]` : ''}\n`)
}
