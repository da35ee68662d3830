import { Command } from 'commander'
import { nameJob, oneItem } from '../job-names.ts'
import { jsonOption } from '../print.ts'
import { openRecord } from '../record.ts'

interface Options {
  profile?: string
  json?: boolean
}

export function attachCommand(): Command {
  return new Command('attach')
    .argument('<id>', 'a job: its id or the beginning of it, the scheduler’s id; ID[3] for an item of a map')
    .option('--profile <name>', 'the profile that it was sent to; default: as recorded here')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Follows it to its end, as the program would that called it: where it stands and what it prints on stderr, its value, as
JSON, on stdout. Of a map the logs are left out. A job that was recorded and never reached the scheduler is submitted.

Examples:
  farcall attach fqp3ikcfdfl4z4
  farcall attach fqp3 > value.json

Exit code: 0 when it completed; 1 when it failed or was canceled; 130 after Ctrl-C, which leaves it running.`,
    )
    .action(follow)
}

async function follow(text: string, { profile, json = false }: Options): Promise<void> {
  const { id, ...named } = nameJob(await openRecord(), text, profile)
  const index = oneItem({ id, ...named }, text)
  const [{ attach }, { onlyLooking }, { followToEnd }] = await Promise.all([
    import('../../client/jobs/attach.ts'),
    import('../only-looking.ts'),
    import('../follow.ts'),
  ])
  const name = index === undefined ? id : `${id}[${index}]`
  const at = { keep: true, ...(profile === undefined ? {} : { profile }) }
  const isOne = index !== undefined || (named.record?.spec.items ?? 1) === 1
  const streams = named.record?.spec.stream !== undefined && isOne
  await onlyLooking(() =>
    followToEnd(streams ? attach(name, { ...at, stream: true }) : attach(name, at), {
      name,
      json,
      prints: isOne ? 'beside' : 'none',
    }),
  )
}
