import { Command } from 'commander'
import { capacityTable } from '../../client/place/capacity-table.ts'
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
  partition?: string
  profile?: string
}

export function resourcesCommand(): Command {
  return new Command('resources')
    .description(
      'what a cluster has, and what of it is free: nodes, cores, memory and GPUs of each partition',
    )
    .option('--partition <names>', 'only these, with commas between')
    .option('--profile <name>', 'default: the one that calls go to')
    .addOption(tableOrJsonOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
CORES, MEMORY and GPUS are what is free, of all that there is. What is on nodes that are down, drained, reserved or closed
to you is not free. A star marks where a job goes that names no partition; '-' is what the scheduler does not tell.

Examples:
  farcall resources
  farcall resources --partition gpu --profile hpc
  farcall resources --json | jq '.partitions[] | {name, free: .gpus.free}'`,
    )
    .action(resources)
}

async function resources({ partition, profile, ...format }: Options): Promise<void> {
  const filter = partition === undefined ? {} : { partition }
  const seen = await onCluster(profile, (cluster) => cluster.resources(filter))
  if (wantsJson(format)) process.stdout.write(`${JSON.stringify(seen, isoTimes, 2)}\n`)
  else process.stdout.write(capacityTable(seen.partitions, terminalWidth()))
  for (const note of seen.notes) say(`note: ${note}`)
}
