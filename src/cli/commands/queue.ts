import { Command } from 'commander'
import type { ClusterJob } from '../../client/place/place-resources.ts'
import { type Column, inColumns } from '../../core/columns.ts'
import { formatSeconds } from '../../core/units.ts'
import { onCluster } from '../on-cluster.ts'
import {
  type FormatOptions,
  isoTimes,
  jsonOption,
  tableOrJsonOption,
  terminalWidth,
  wantsJson,
} from '../print.ts'
import { say } from '../talk.ts'

interface Options extends FormatOptions {
  mine?: true
  partition?: string
  profile?: string
}

export function queueCommand(): Command {
  return new Command('queue')
    .description('the jobs that wait and run on a cluster, from whichever program')
    .option('--mine', 'only those of your account there')
    .option('--partition <names>', 'only of these, with commas between')
    .option('--profile <name>', 'default: the one that calls go to')
    .addOption(tableOrJsonOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
JOB is the scheduler's own id. A job of this machine's record has its id here before its name; \`farcall list\` has more of
those. Members of an array that wait are one line.

Examples:
  farcall queue --mine
  farcall queue --partition gpu --profile hpc
  farcall queue --json | jq '[.jobs[] | select(.status.state == "QUEUED")] | length'`,
    )
    .action(queue)
}

async function queue({ mine, partition, profile, ...format }: Options): Promise<void> {
  const filter = { ...(mine && { mine }), ...(partition === undefined ? {} : { partition }) }
  const seen = await onCluster(profile, (cluster) => cluster.queue(filter))
  if (wantsJson(format)) process.stdout.write(`${JSON.stringify(seen, isoTimes, 2)}\n`)
  else if (seen.jobs.length > 0) process.stdout.write(inColumns(seen.jobs, columns, terminalWidth()))
  else say('no job waits or runs there')
}

const count = (value: number | undefined) => (value === undefined ? '' : String(value))

const columns: readonly Column<ClusterJob>[] = [
  { head: 'JOB', text: ({ nativeId }) => plain(nativeId) },
  { head: 'USER', text: ({ user }) => plain(user), least: 8 },
  {
    head: 'STATE',
    text: ({ status }) => (status.reason ? `${status.state} ${status.reason}` : status.state),
  },
  { head: 'PARTITION', text: ({ partition = '' }) => plain(partition), least: 8 },
  { head: 'CORES', text: ({ cores }) => count(cores), right: true },
  { head: 'GPUS', text: ({ gpus }) => count(gpus), right: true },
  {
    head: 'RUNS',
    text: ({ elapsedSeconds, startedAt, status }) => {
      if (status.state !== 'ACTIVE') return ''
      const seconds =
        elapsedSeconds ?? (startedAt === undefined ? undefined : (Date.now() - startedAt) / 1000)
      return seconds === undefined ? '' : formatSeconds(Math.max(0, Math.round(seconds)))
    },
    right: true,
  },
  { head: 'NAME', text: ({ id, name }) => plain(id === undefined ? name : `${id} ${name}`), least: 8 },
]

/** Names are other people's: a terminal is not to do what they say. */
const plain = (text: string) => text.replaceAll(/\p{Cc}/gu, '�')
