import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command } from 'commander'
import type { ClusterOptions } from '../../client/options/options.ts'
import { ConfigError } from '../../core/errors.ts'
import { jsonOption } from '../print.ts'
import { readStdin } from '../read-stdin.ts'
import { type CallOptions, callFlags, callOptions, letGo, type Sent, showScript } from '../send.ts'

interface Options extends CallOptions {
  function?: string
  args?: string
  wait?: true
  dryRun?: true
  json?: true
}

export function submitCommand(): Command {
  const command = new Command('submit')
    .argument('[file]', 'a TypeScript or JavaScript file that exports the function')
    .argument('[command...]', 'instead of it a program and its arguments, as they are; put -- before them')
    .option('--function <name>', 'simulate, or Study.simulate; not needed where there is one')
    .option('--args <json>', 'its arguments, a JSON array; - reads them from stdin')
    .option('-w, --wait', 'wait for the value and print it, as JSON; Ctrl-C then does as `interrupt` says')
    .option('-n, --dry-run', 'print the script that would be submitted; nothing is sent')
    .addOption(jsonOption())
  return callFlags(command, 'the function')
    .addHelpText(
      'after',
      `
Prints the job's id, once the scheduler has it. Functions that are marked with cluster have the options that they are
marked with, and those given here on top; where none is marked, any exported function will do. The file is imported: what
stands at its top level runs here, and what that prints goes to stderr. A command runs there as it is, no shell reads it.

Examples:
  farcall submit study.ts --args '[42]'
  id=$(farcall submit study.ts --function simulate --args '[42]' --memory 4GB --time 1h)
  farcall result $id
  farcall submit study.ts --args '[42]' --partition short --dry-run
  farcall submit study.ts --args '[42]' --wait | jq .energy
  farcall submit --cores 4 --time 2h -- python train.py --epochs 10
  farcall submit -- sh -c 'sort data.txt >sorted.txt'

Exit code: 0 when it was submitted, with --wait when it completed; 1 when it failed; 5 when it was not submitted.`,
    )
    .action(submit)
}

async function submit(file: string | undefined, rest: string[], options: Options): Promise<void> {
  const words = file === undefined ? [] : [file, ...rest]
  const dashes = process.argv.indexOf('--')
  const isCommand = dashes >= 0 && process.argv.length - dashes - 1 === words.length
  if (words.length === 0 || (!isCommand && words.length > 1))
    throw new ConfigError('OPTION_INVALID', 'one file is wanted, or a command behind --', {
      hint: 'farcall submit study.ts, or farcall submit -- python train.py',
    })
  const asked = callOptions(options)
  if (options.profile !== undefined) process.env['FARCALL_PROFILE'] = options.profile
  const call = isCommand
    ? await commandCall(words, asked, options)
    : await functionCall(words[0]!, asked, options)
  const { closeSessions } = await import('../../client/session/sessions.ts')
  try {
    if (options.dryRun) showScript(await call.script(), options)
    else if (options.wait) await follow(call.send(), options)
    else await letGo(call.send(), call.name, options)
  } finally {
    await closeSessions()
  }
}

interface Call {
  readonly name: string
  readonly send: () => Sent
  readonly script: () => Promise<string>
}

async function commandCall(words: readonly string[], asked: ClusterOptions, options: Options): Promise<Call> {
  for (const name of ['function', 'args'] as const)
    if (options[name] !== undefined)
      throw new ConfigError('OPTION_INVALID', `--${name} is for functions of a file, and not for a command`)
  const { command } = await import('../../client/command/command.ts')
  return {
    name: words[0]!,
    send: () => command(words, asked),
    script: () => command.script(words, asked),
  }
}

async function functionCall(name: string, asked: ClusterOptions, options: Options): Promise<Call> {
  const file = resolve(name)
  if (!statSync(file, { throwIfNoEntry: false })?.isFile())
    throw new ConfigError('OPTION_INVALID', `${name}: there is no such file`, {
      hint: 'give the path of a file: farcall submit study.ts; a command stands behind --',
    })
  const args = await readArguments(options.args)
  const { chooseFunction, exportedFunctions, importFile } = await import('../exported.ts')
  const chosen = chooseFunction(exportedFunctions(await importFile(file)), options.function, name)
  const remote = chosen.remote().with(asked)
  return { name: chosen.name, send: () => remote(...args), script: () => remote.script(...args) }
}

async function follow(job: Sent, { json }: Options): Promise<void> {
  const { followToEnd } = await import('../follow.ts')
  await followToEnd(job, { json: json ?? false, prints: 'none' })
}

async function readArguments(given: string | undefined): Promise<unknown[]> {
  if (given === undefined) return []
  const text = given === '-' ? (await readStdin()).toString('utf8') : given
  try {
    const args: unknown = JSON.parse(text)
    if (Array.isArray(args)) return args
  } catch (cause) {
    throw new ConfigError('OPTION_INVALID', `--args: ${(cause as Error).message}`, {
      hint: 'a JSON array of the arguments: --args \'[42, "a word"]\'',
      cause,
    })
  }
  throw new ConfigError('OPTION_INVALID', '--args: a JSON array of the arguments is wanted', {
    hint: `one argument is written in brackets, too: --args '[${text.trim()}]'`,
  })
}
