import { Command } from 'commander'
import { formatMemory } from '../../core/units.ts'
import { jsonOption, printJson } from '../print.ts'
import { say } from '../talk.ts'

interface Options {
  profile?: string
  olderThan?: string
  uncollected?: true
  dryRun?: boolean
  yes?: boolean
  json?: boolean
}

export function cleanCommand(): Command {
  return new Command('clean')
    .option('--profile <name>', 'the place; default: the one that calls go to')
    .option(
      '--older-than <time>',
      'jobs whose results were taken so long ago, like 30d, also those kept by keep: all',
    )
    .option(
      '--uncollected',
      'also jobs whose results nobody has taken, in whose folders nothing happened for --older-than',
    )
    .option('-n, --dry-run', 'remove nothing, and say what would go')
    .option('-y, --yes', 'with --uncollected: do not ask')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Removes from a place what is done with: folders of jobs after the profile's keepFor, bundles after keepBlobs, leftovers of
programs that crashed. Programs do so by themselves once a day. Prints the ids of jobs whose folders went.

Examples:
  farcall clean --dry-run
  farcall clean --profile hpc --older-than 30d
  farcall clean --older-than 90d --uncollected --dry-run

Exit code: 0; 1 when you say no.`,
    )
    .action(clean)
}

async function clean({ dryRun = false, yes = false, json, olderThan, ...rest }: Options): Promise<void> {
  if (rest.uncollected && !dryRun) {
    const { agrees } = await import('../ask.ts')
    const question = 'Results that nobody has taken will be lost. Go on?'
    if (!(await agrees(question, yes))) {
      say('nothing was removed')
      process.exitCode = 1
      return
    }
  }
  const [{ clean: cleanPlace }, { closeSessions }] = await Promise.all([
    import('../../client/jobs/clean.ts'),
    import('../../client/session/sessions.ts'),
  ])
  try {
    const cleaned = await cleanPlace({ ...rest, dryRun, ...(olderThan === undefined ? {} : { olderThan }) })
    const { jobs, blobs, bytes } = cleaned
    if (json) printJson({ ...cleaned, dryRun })
    else for (const id of jobs) process.stdout.write(`${id}\n`)
    const files = `${jobs.length} jobs, ${blobs.length} shared files, ${formatMemory(bytes)}`
    say(`${files} ${dryRun ? 'would go' : 'removed'}`)
  } finally {
    await closeSessions()
  }
}
