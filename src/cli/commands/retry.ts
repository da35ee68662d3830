import { Command } from 'commander'
import { ConfigError } from '../../core/errors.ts'
import { quiet } from '../../core/rejections.ts'
import type { Resources } from '../../core/resources.ts'
import { isFinal } from '../../core/status.ts'
import { type NamedJob, nameJob } from '../job-names.ts'
import { jsonOption, printJson } from '../print.ts'
import { openRecord } from '../record.ts'
import { resourceOptions, resourcesOf } from '../resource-options.ts'
import { say } from '../talk.ts'
import { bringUpToDate } from '../up-to-date.ts'

interface Options {
  profile?: string
  dryRun?: true
  json?: true
}

export function retryCommand(): Command {
  const command = new Command('retry')
    .argument('<id>', 'a job that is over: its id or the beginning of it, the scheduler’s id')
    .option('--profile <name>', 'the profile that it was sent to; default: as recorded here')
    .option('-n, --dry-run', 'only say what would run again')
    .addOption(jsonOption())
  return resourceOptions(command)
    .addHelpText(
      'after',
      `
Runs what failed or was canceled again, as the next attempt of the same job: its code and arguments lie there. Items of a
map that are done stay done. Resources that are given here are asked for this time, on top of those before. Prints the id.

Examples:
  farcall retry fqp3ikcfdfl4z4
  farcall retry fqp3 --memory 24GB --time 4h

Exit code: 0, also when nothing had failed; 2 while the job is not over.`,
    )
    .action(retry)
}

async function retry(text: string, options: Options): Promise<void> {
  const resources = resourcesOf(options as Record<string, unknown>)
  const store = await openRecord()
  const named = nameJob(store, text, options.profile)
  if (named.items)
    throw new ConfigError('OPTION_INVALID', `'${text}': all items that failed run again, none alone`, {
      hint: `farcall retry ${named.id}`,
    })
  await bringUpToDate(store, [named.id])
  const state = store.get(named.id)?.status.state
  if (state !== undefined && !isFinal(state))
    throw new ConfigError('OPTION_INVALID', `job ${named.id} is not over (${state})`, {
      hint: `farcall attach ${named.id} waits for it, farcall cancel ${named.id} ends it`,
    })
  const { onlyLooking } = await import('../only-looking.ts')
  const items = await onlyLooking(() => retryJob(named, options, resources))
  if (items === 0) say(`nothing of job ${named.id} has failed`)
  else
    say(
      `${items} ${items === 1 ? 'call' : 'calls'} of job ${named.id}: ${options.dryRun ? 'would run' : 'to run'} again`,
    )
  if (options.json) printJson({ id: named.id, items, retried: items > 0 && !options.dryRun })
  else if (items > 0 && !options.dryRun) process.stdout.write(`${named.id}\n`)
}

/** Gives the number of items that run again. */
async function retryJob(
  { id }: NamedJob,
  { profile, dryRun }: Options,
  resources: Resources,
): Promise<number> {
  const [{ attach, wholeOf }, { insideOf }, { JobArray }, { retryFailed }] = await Promise.all([
    import('../../client/jobs/attach.ts'),
    import('../../client/job/job.ts'),
    import('../../client/job/job-array.ts'),
    import('../../client/job/retry-failed.ts'),
  ])
  const job = attach(id, { keep: true, ...(profile === undefined ? {} : { profile }) })
  quiet(job)
  const { handle } = insideOf(job)!
  await handle.session
  const parts = wholeOf(handle)
  await parts.over
  const failed = parts.items.filter(({ item }) => item.status.state !== 'COMPLETED').length
  if (failed === 0 || dryRun) return failed
  await new JobArray(retryFailed(parts, resources)).detach()
  return failed
}
