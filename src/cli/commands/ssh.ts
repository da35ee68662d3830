import { readFileSync, statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { Command } from 'commander'
import type { ScriptOptions } from '../../client/command/script.ts'
import { ConfigError, JobFailedError } from '../../core/errors.ts'
import { jsonOption } from '../print.ts'
import { type CallOptions, callFlags, callOptions, letGo, type Sent, showScript } from '../send.ts'
import { say } from '../talk.ts'

interface Options extends CallOptions {
  var?: string[]
  raw?: true
  follow: boolean
  dryRun?: true
  json?: true
}

export function sshCommand(): Command {
  const command = new Command('ssh')
    .argument('<script>', 'a job script, as it would be given to sbatch or qsub')
    .argument('[args...]', 'its arguments, as they are; put -- before one that begins with a dash')
    .option(
      '--var <name=value>',
      'makes it a LiquidJS template, in which {{ name }} has this value; may be given again',
      (text, before: string[] = []) => [...before, text],
    )
    .option('--raw', '{{ name }} in it is meant as it stands: no note is made of it')
    .option('--no-follow', 'print the id once the scheduler has it, and leave it to itself')
    .option('-n, --dry-run', 'print the script that would be submitted; nothing is sent')
    .addOption(jsonOption())
  return callFlags(command, 'the script')
    .addHelpText(
      'after',
      `
Submits a script that is there already, with its own #SBATCH, #PBS or #$ lines, and follows it: its stdout on stdout, its
stderr on stderr, where it stands on stderr as well. Any profile will do, over ssh or not: Slurm, PBS, Grid Engine,
Kubernetes, a machine without a scheduler, this one. Its text stays as it is, unless --var is given. It runs in a folder of its own; its
directives win over the profile, and one that says the same as an option given here is refused. With --json stdout
has { id, state, value }, and what it prints goes to stderr. Ctrl-C does as the profile's \`interrupt\` says.

Examples:
  farcall ssh job.sh --profile hpc
  farcall ssh job.sh input.dat -- --verbose
  farcall ssh job.sh --var seed=42 --time 1h
  id=$(farcall ssh job.sh --no-follow)
  farcall ssh job.sh --dry-run

Exit code: the script's own, which may be any; 1 when it failed in another way, by a signal or the time limit; 5 when it was
not submitted, and the others of \`farcall --help\`. Only where the script itself ended with it no "error CODE" is told.`,
    )
    .action(ssh)
}

async function ssh(name: string, args: string[], options: Options): Promise<void> {
  const file = resolve(name)
  if (!statSync(file, { throwIfNoEntry: false })?.isFile())
    throw new ConfigError('OPTION_INVALID', `${name}: there is no such file`, {
      hint: 'give the path of a job script: farcall ssh job.sh; for a command: farcall submit -- COMMAND',
    })
  if (options.raw && options.var)
    throw new ConfigError('OPTION_INVALID', '--raw and --var do not go together', {
      hint: 'with --var the script is a template, and with --raw it is none',
    })
  const variables = options.var && variablesOf(options.var)
  const asked: ScriptOptions = {
    ...callOptions(options),
    args,
    ...(variables === undefined ? { raw: true } : {}),
  }
  const [{ script }, { closeSessions }] = await Promise.all([
    import('../../client/command/script.ts'),
    import('../../client/session/sessions.ts'),
  ])
  if (variables === undefined && !options.raw) await noteVariable(file)
  try {
    if (options.dryRun) showScript(await script.script(file, variables, asked), options)
    else if (options.follow) await follow(script(file, variables, asked), options.json ?? false)
    else await letGo(script(file, variables, asked), basename(file), options)
  } finally {
    await closeSessions()
  }
}

async function follow(job: Sent, json: boolean): Promise<void> {
  const { followToEnd } = await import('../follow.ts')
  try {
    await followToEnd(job, { json, prints: json ? 'beside' : 'instead' })
  } catch (error) {
    const code = error instanceof JobFailedError && error.reason === 'exit-code' ? error.exitCode : undefined
    if (code === undefined) throw error
    // It has said why on its own stderr.
    say(`${job.id} ended with exit code ${code}`)
    process.exitCode = code
  }
}

/** @throws ConfigError OPTION_INVALID */
function variablesOf(given: readonly string[]): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {}
  for (const text of given) {
    const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? []
    if (name === undefined || value === undefined)
      throw new ConfigError('OPTION_INVALID', `--var: '${text}' is not NAME=VALUE`, {
        hint: '--var seed=42',
      })
    if (Object.hasOwn(variables, name))
      throw new ConfigError('OPTION_INVALID', `--var: ${name} is given twice`, { hint: 'leave one out' })
    variables[name] = value
  }
  return variables
}

async function noteVariable(file: string): Promise<void> {
  const { variableIn } = await import('../../client/command/script-template.ts')
  const found = variableIn(readFileSync(file, 'utf8'))
  if (found)
    say(
      `${basename(file)}:${found.line}: ${found.text} goes along as it stands; --var ${found.name}=… gives it a value, --raw leaves this note out`,
    )
}
