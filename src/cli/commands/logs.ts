import { Command } from 'commander'
import type { Visit } from '../../client/jobs/visit.ts'
import { ConfigError } from '../../core/errors.ts'
import { nameJob, oneItem } from '../job-names.ts'
import { jsonOption } from '../print.ts'
import { openRecord } from '../record.ts'
import { say } from '../talk.ts'

interface Options {
  follow?: boolean
  task?: string
  stderr?: true
  tail?: string
  profile?: string
  json?: boolean
}

export function logsCommand(): Command {
  return new Command('logs')
    .argument('<id>', 'a job: its id or the beginning of it, the scheduler’s id; ID[3] for an item of a map')
    .option('-f, --follow', 'go on until it has ended')
    .option('--task <number>', 'the task of the array, from 0; default: the first')
    .option('--stderr', 'what it wrote to stderr; default: to stdout')
    .option('--tail <lines>', 'only the last so many of what is there')
    .option('--profile <name>', 'the profile that it was sent to; default: as recorded here')
    .addOption(jsonOption().conflicts('tail'))
    .addHelpText(
      'after',
      `
Items of a map that one task runs write to one log. Its result stays where it is.

Examples:
  farcall logs fqp3ikcfdfl4z4
  farcall logs fqp3 --follow
  farcall logs 'fqp3[7]' --stderr
  farcall logs fqp3 --task 12 --tail 20

Exit code: 0, whatever became of the job; 130 after Ctrl-C, which leaves it running. --json: a line of JSON for each line.`,
    )
    .action(logs)
}

async function logs(text: string, options: Options): Promise<void> {
  const tail = options.tail === undefined ? undefined : wholeNumber(options.tail, '--tail')
  const task = options.task === undefined ? undefined : wholeNumber(options.task, '--task')
  if (tail !== undefined && options.follow)
    throw new ConfigError('OPTION_INVALID', '--tail and --follow do not go together')
  const named = nameJob(await openRecord(), text, options.profile)
  const index = oneItem(named, text)
  if (index !== undefined && task !== undefined)
    throw new ConfigError('OPTION_INVALID', `--task ${task} and '${text}' do not go together`)
  const [{ onlyLooking }, { visit }] = await Promise.all([
    import('../only-looking.ts'),
    import('../../client/jobs/visit.ts'),
  ])
  await onlyLooking(async () => {
    const at = options.profile === undefined ? {} : { profile: options.profile }
    await print(await visit(named.id, at), index, task, tail, options)
  })
}

async function print(
  visited: Visit,
  index: number | undefined,
  task: number | undefined,
  tail: number | undefined,
  { follow = false, stderr, json }: Options,
): Promise<void> {
  const [{ itemAt }, { readLog }] = await Promise.all([
    import('../../client/jobs/visit.ts'),
    import('../../client/job/log.ts'),
  ])
  const { submission } = visited.handle
  const { chunk } = submission.submitted!.spec
  const members = [visited.handle, ...submission.rest]
    .map((part) => part.submission.submitted!.spec.members)
    .reduce((sum, some) => sum + some, 0)
  if (task !== undefined && task >= members)
    throw new ConfigError(
      'OPTION_INVALID',
      `job ${submission.id} has ${members === 1 ? 'one task' : `${members} tasks`}, there is no task ${task}`,
      { hint: "tasks are counted from 0; of an item: farcall logs 'ID[3]'" },
    )
  const { handle, item } = itemAt(visited, index ?? (task ?? 0) * chunk)
  if (members > 1 && index === undefined && task === undefined)
    say(`job ${submission.id} has ${members} tasks; this is the first, --task 1 the next`)
  const last: string[] = []
  let count = 0
  for await (const line of readLog(handle, item, { follow, stream: stderr ? 'stderr' : 'stdout' })) {
    count++
    if (tail === undefined) process.stdout.write(json ? `${JSON.stringify({ line })}\n` : `${line}\n`)
    else if (last.push(line) > tail) last.shift()
  }
  for (const line of last) process.stdout.write(`${line}\n`)
  if (count === 0) say(`job ${submission.id} has written nothing to ${stderr ? 'stderr' : 'stdout'}`)
}

function wholeNumber(text: string, option: string): number {
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  throw new ConfigError('OPTION_INVALID', `${option}: '${text}' is no whole number`)
}
