import { Command } from 'commander'
import { jsonOption, tableOrJsonOption } from '../print.ts'

export function monitorCommand(): Command {
  return new Command('monitor')
    .description('tell when jobs change, when GPUs come free, or how a cluster is every so often')
    .addCommand(jobsCommand())
    .addCommand(resourcesCommand())
    .addCommand(clusterCommand())
    .addHelpText(
      'after',
      `
Nothing is told twice. No scheduler is asked more often than the profile's queryInterval allows, and a shorter --interval
is refused. Ctrl-C and SIGTERM end it; jobs go on.

Exit codes: 0 done; 1 a job failed or was canceled; 124 the --timeout was over; 130 Ctrl-C; 143 SIGTERM.`,
    )
}

function jobsCommand(): Command {
  return new Command('jobs')
    .description('a line whenever the state of a job changes, until all have ended')
    .argument('[id...]', 'ids, the beginnings of them, or the scheduler’s')
    .option('--all', 'all jobs on record that have not ended')
    .option('--continuous', 'go on; with --all take up jobs that come')
    .option('--interval <seconds>', 'gather changes for so long; a number, or 30s, 5m')
    .option('--timeout <seconds>', 'give up after so long: exit code 124')
    .option('--until <states>', 'end once each is in one of these, or has ended: ACTIVE, say')
    .option('--profile <name>', 'where jobs are that are not on record here; with --all: only those of it')
    .addOption(tableOrJsonOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
With JSON each change is a line, an object: time, id, nativeId, name, profile, before, status.

Examples:
  farcall monitor jobs fqp3ikcfdfl4z4
  farcall monitor jobs --all --timeout 2h
  farcall monitor jobs fqp3 --until ACTIVE && farcall logs -f fqp3`,
    )
    .action(async (ids, options, command) =>
      (await import('../monitor/jobs.ts')).monitorJobs(ids, options, command),
    )
}

function resourcesCommand(): Command {
  return new Command('resources')
    .description('tell when a partition has so many free GPUs, and end')
    .requiredOption('--min-gpus <number>', 'how many')
    .option('--partition <names>', 'only in these, with commas between')
    .option('--continuous', 'go on: tell when they are gone, and when they are there again')
    .option('--interval <seconds>', 'between two questions; not below the profile’s queryInterval')
    .option('--timeout <seconds>', 'give up after so long: exit code 124')
    .option('--profile <name>', 'default: the one that calls go to')
    .option('--notify', 'tell those whom the configuration names under notify as well')
    .addOption(tableOrJsonOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  farcall monitor resources --min-gpus 4 && npx farcall run train.ts
  farcall monitor resources --min-gpus 1 --partition gpu,gpu-long --timeout 12h`,
    )
    .action(async (options, command) =>
      (await import('../monitor/resources.ts')).monitorResources(options, command),
    )
}

function clusterCommand(): Command {
  return new Command('cluster')
    .description('a report at once, then every so often: what is free, the queue, and your jobs')
    .requiredOption('--schedule <time>', 'between two reports: 1h, say')
    .option('--profile <name>', 'default: the one that calls go to')
    .option('--notify', 'tell those whom the configuration names under notify as well')
    .addOption(tableOrJsonOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
With JSON each report is a line, an object.

Example:
  farcall monitor cluster --schedule 1h --profile hpc`,
    )
    .action(async (options) => (await import('../monitor/cluster.ts')).monitorCluster(options))
}
