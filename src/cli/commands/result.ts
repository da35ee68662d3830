import { Command } from 'commander'
import { ConfigError, FarcallError } from '../../core/errors.ts'
import { isFinal } from '../../core/status.ts'
import { type NamedJob, nameJob, oneItem } from '../job-names.ts'
import { jsonOption } from '../print.ts'
import { openRecord } from '../record.ts'
import { bringUpToDate } from '../up-to-date.ts'

interface Options {
  output?: string
  encoded?: true
  wait: boolean
  profile?: string
  json?: true
}

export function resultCommand(): Command {
  return new Command('result')
    .argument('<id>', 'a job: its id or the beginning of it, the scheduler’s id; ID[3] for an item of a map')
    .option('-o, --output <file>', 'write it to a file: bytes as they are, all else as JSON')
    .option('--encoded', 'with --output: in farcall’s own form, of any size, which openResult() reads')
    .option('--no-wait', 'do not wait for a job that is not over')
    .option('--profile <name>', 'the profile that it was sent to; default: as recorded here')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Prints the value as JSON; of a map the array of all values, of a generator function a line for each value. --json prints
{ id, state, value }, or { id, state, error } where there is none. What JSON cannot say (a Map, NaN, a typed array) is refused:
--output writes bytes as they are, --encoded keeps all else. The job's files stay for the profile's keepFor, so that this
can be done again.

Examples:
  farcall result fqp3ikcfdfl4z4 | jq .energy
  farcall result 'fqp3[7]'
  farcall result fqp3 --output picture.png
  farcall result fqp3 --encoded --output field.result

Exit code: 0 with a value; 1 when the job failed, was canceled or, with --no-wait, is not over; 130 after Ctrl-C, which
leaves it running.`,
    )
    .action(result)
}

async function result(text: string, options: Options): Promise<void> {
  const { output, encoded, profile } = options
  if (encoded && output === undefined)
    throw new ConfigError('OPTION_INVALID', '--encoded: --output is wanted as well', {
      hint: `farcall result ${text} --encoded --output FILE`,
    })
  const store = await openRecord()
  const named = nameJob(store, text, profile)
  if (!options.wait) {
    await bringUpToDate(store, [named.id])
    requireOver(store.get(named.id)?.status.state, named.id)
  }
  const index = oneItem(named, text)
  const { onlyLooking } = await import('../only-looking.ts')
  await onlyLooking(() => give(named, index, options))
}

function requireOver(state: Parameters<typeof isFinal>[0] | undefined, id: string): void {
  if (state === undefined || isFinal(state)) return
  throw new FarcallError('RESULT_MISSING', `job ${id} is not over (${state})`, {
    hint: 'without --no-wait it is waited for',
    transient: true,
  })
}

async function give({ id, record }: NamedJob, index: number | undefined, options: Options): Promise<void> {
  const { attach } = await import('../../client/jobs/attach.ts')
  const { followToEnd } = await import('../follow.ts')
  const { output, encoded, profile, json = false } = options
  const name = index === undefined ? id : `${id}[${index}]`
  const at = { keep: true, ...(profile === undefined ? {} : { profile }) }
  if (encoded) {
    await attach(name, at).result({ as: 'file', path: output! })
    return
  }
  const streams = record?.spec.stream !== undefined && (index !== undefined || record.spec.items === 1)
  const job = streams ? attach(name, { ...at, stream: true }) : attach(name, at)
  await followToEnd(job, { name, json, prints: 'none', ...(output === undefined ? {} : { output }) })
}
