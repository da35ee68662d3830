#!/usr/bin/env node
import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { asksToComplete, completeCommand } from './commands/complete.ts'
import { configCommand } from './commands/config.ts'
import { doctorCommand } from './commands/doctor.ts'
import { explainCommand } from './commands/explain.ts'
import { forwardCommand } from './commands/forward.ts'
import { monitorCommand } from './commands/monitor.ts'
import { profileCommand } from './commands/profile.ts'
import { queueCommand } from './commands/queue.ts'
import { resourcesCommand } from './commands/resources.ts'
import { runCommand } from './commands/run.ts'
import { setupCommand } from './commands/setup.ts'
import { shellCommand } from './commands/shell.ts'
import { exitCodes, report } from './report.ts'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

/** What a command leaves to be done outside of our error handling: the user's program. */
let program: (() => Promise<void>) | undefined
const leave = (run: () => Promise<void>) => {
  program = run
}

const cli = new Command('farcall')
  .description('Run TypeScript functions on a cluster.')
  .version(version)
  .option('--verbose', 'print the stack of an error')
  .enablePositionalOptions()
  .showHelpAfterError('(farcall --help tells more)')
  .exitOverride()
  .addCommand(runCommand(leave))
  .addCommand(explainCommand())
  .addCommand(profileCommand())
  .addCommand(configCommand())
  .addCommand(setupCommand())
  .addCommand(doctorCommand())
  .addCommand(resourcesCommand())
  .addCommand(queueCommand())
  .addCommand(monitorCommand())
  .addCommand(shellCommand())
  .addCommand(forwardCommand())
  .addHelpText(
    'after',
    `
Examples:
  farcall run study.ts                  run a program; its decorated functions run on the cluster
  farcall run --profile hpc study.ts -- --seed 42
  farcall explain study.ts              what its decorated functions take along, and what cannot go
  farcall setup me@login.hpc.edu        get to a cluster for the first time
  farcall doctor hpc                    whether the cluster can be used, and what to do where not
  farcall resources                     what the cluster has, and what of it is free
  farcall queue --mine                  your jobs there, from whichever program
  farcall monitor jobs ID               a line whenever its state changes
  farcall shell ID                      a shell beside a running job
  farcall forward ID 8888               a port of a running job, here
  farcall config show                   every setting, and where it comes from

Exit codes: 0 done; 1 an error, told as "error CODE: …" (docs/errors/CODE.md explains it);
2 a command line that cannot be understood; farcall run: the program's own.`,
  )
// exitOverride is not inherited by commands that are added.
for (const command of [...cli.commands, ...cli.commands.flatMap(({ commands }) => commands)])
  command.exitOverride().showHelpAfterError('(farcall --help tells more)')

try {
  if (asksToComplete(process.argv))
    await (await import('./completion.ts')).complete(cli, process.argv.slice(3))
  else await cli.addCommand(completeCommand()).parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage
  } else {
    report(error, { verbose: cli.opts<{ verbose?: true }>().verbose ?? false })
    process.exitCode = exitCodes.failure
  }
}
await program?.()
