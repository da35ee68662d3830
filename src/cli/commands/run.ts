import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Command } from 'commander'
import { ConfigError } from '../../core/errors.ts'
import { isVerbose } from '../talk.ts'
import { tellUncaught } from '../uncaught.ts'

/** @param start takes the program, to be run once the command line is done with: its errors are its own */
export function runCommand(start: (program: () => Promise<void>) => void): Command {
  return new Command('run')
    .argument('<file>', 'the program')
    .argument('[args...]', 'its arguments; put -- before them')
    .option('--profile <name>', 'the profile that its jobs go to')
    .passThroughOptions()
    .addHelpText(
      'after',
      '\nExamples:\n  farcall run study.ts\n  farcall run --profile hpc study.ts -- --seed 42\n\nThe exit code is the program’s own.',
    )
    .action((file: string, args: string[], options: { profile?: string }) => {
      start(prepare(file, args[0] === '--' ? args.slice(1) : args, options.profile, isVerbose()))
    })
}

function prepare(
  name: string,
  args: readonly string[],
  profile: string | undefined,
  verbose: boolean,
): () => Promise<void> {
  const file = resolve(name)
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    throw new ConfigError('OPTION_INVALID', `${name}: there is no such file`, {
      hint: 'give the path of a program: farcall run study.ts',
    })
  }
  return async () => {
    if (profile !== undefined) process.env['FARCALL_PROFILE'] = profile
    // In this very process: the terminal's signals, stdin, the exit code and what is printed are the program's own.
    process.argv = [process.argv[0]!, file, ...args]
    const { passOn } = await import('../loader/register.ts')
    passOn()
    tellUncaught({ verbose: verbose || Boolean(process.env['FARCALL_DEBUG']) })
    await import(pathToFileURL(file).href)
  }
}
