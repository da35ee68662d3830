#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { asksToComplete } from './asks-to-complete.ts'
import { commands, type Leave } from './commands.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { report } from './report.ts'
import { isVerbose, setTalk } from './talk.ts'
import { wrapLines } from './wrap-lines.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

/** Of the command that runs. */
let flags: ReadonlyMap<string, string> = new Map()
let program: (() => Promise<void>) | undefined
const leave: Leave = (run) => {
  program = run
}

const cli = new Command('farcall')
  .description('Run TypeScript functions on a cluster.')
  .version(version)
  .enablePositionalOptions()
  .addHelpText(
    'after',
    `
Examples:
  farcall run study.ts                  a program; its functions run there
  farcall setup me@login.hpc.edu        get to a cluster for the first time
  farcall doctor hpc                    what works, what is slow, what to do
  farcall submit study.ts --args '[42]' one function; prints the job's id
  farcall list --watch                  what is under way
  farcall logs ID --follow              what it prints
  farcall result ID                     its value, as JSON
  farcall cancel 'ID[3-7]'              items of a map
  farcall resources                     what the cluster has, what is free
  farcall monitor jobs ID               a line whenever its state changes
  farcall config show                   every setting, and where it is from

Data goes to stdout and words to stderr. Exit codes: 0 done, 1 a job or command failed, 2 usage, 3 configuration,
4 connection, 5 not submitted, 130 interrupted; farcall run: the program's own. Each error is told as
"error CODE: …", which docs/errors/CODE.md explains.`,
  )
  .hook('preAction', async (_, action) => {
    flags = new Map(action.options.map((option) => [option.attributeName(), option.long ?? option.flags]))
    if (action.name() !== 'run') endWithReader()
    setTalk(action.optsWithGlobals<{ quiet?: true; verbose?: true }>())
    if (isVerbose()) (await import('./show-commands.ts')).showCommands()
  })

/** As commander breaks its own lines. */
const helpWidth = process.stdout.columns ?? 80

const completes = asksToComplete(process.argv)
const wanted = new Set(wordsBeforeDashes(process.argv.slice(2)))
for (const { name, group, summary, load } of commands) {
  // The library for completions has one of that name.
  if (completes && name === 'complete') continue
  const command = completes || wanted.has(name) ? await load(leave) : new Command(name)
  cli.addCommand(command.description(summary).helpGroup(group))
}
// What is set here is not inherited by commands that are added.
for (const command of [cli, ...cli.commands, ...cli.commands.flatMap(({ commands }) => commands)])
  command
    .exitOverride()
    .showHelpAfterError('(farcall --help tells more)')
    .configureOutput({ writeOut: (text) => process.stdout.write(wrapLines(text, helpWidth)) })
    .option('-q, --quiet', 'no words but errors')
    .option('--verbose', 'show each command that is run there, and the stack of an error')

try {
  if (completes) await (await import('./completion.ts')).complete(cli, process.argv.slice(3))
  else await cli.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage
  } else {
    report(error, { verbose: isVerbose(), flags })
    process.exitCode = exitCodeOf(error)
  }
}
await program?.()

/** Whoever reads our output may have enough of it: `farcall logs ID | head`. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(exitCodes.done)
  })
}

/** The command, and for `farcall help NAME` that one. */
function wordsBeforeDashes(argv: readonly string[]): string[] {
  return argv.filter((word) => !word.startsWith('-')).slice(0, argv[0] === 'help' ? 2 : 1)
}
