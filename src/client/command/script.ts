import { basename, resolve } from 'node:path'
import type { CommandCall, CommandResult } from '../../core/command.ts'
import { ConfigError } from '../../core/errors.ts'
import { Caller } from '../caller.ts'
import type { Job } from '../job/job.ts'
import { type Argv, type CommandOptions, checked, requireWords, sendCommand, targetOf } from './command.ts'
import { renderJobScriptFile, type ScriptVariables } from './script-template.ts'

/**
 * What a job script asks for: what a command does, and what is its own.
 * @example
 * import { fs, type ScriptOptions, script } from 'farcall'
 *
 * await fs.write('show.sh', '#!/bin/sh\necho "$1" "{{ name }}"\n')
 * const options: ScriptOptions = { args: ['two words'], raw: true }
 * console.log((await script('show.sh', undefined, options)).stdoutTail) // two words {{ name }}
 */
export interface ScriptOptions extends CommandOptions {
  /** Its arguments, `$1` and so on, exactly as they are. */
  args?: Argv
  /** Its text is never a template: `{{ name }}` in it is meant as it stands. Goes with no variables. */
  raw?: boolean
}

/**
 * `script`, with what it has beside the call.
 * @example
 * import { fs, type Script, script } from 'farcall'
 *
 * await fs.write('hello.sh', '#!/bin/sh\necho hello\n')
 * const submit: Script = script
 * console.log((await submit('hello.sh')).stdoutTail)
 */
export interface Script {
  (file: string, variables?: ScriptVariables, options?: ScriptOptions): Job<CommandResult>
  /** The job script that would be submitted: directives of the file are in it. Nothing is sent. */
  script(file: string, variables?: ScriptVariables, options?: ScriptOptions): Promise<string>
}

/**
 * Runs a job script of your own as a job, under what its first line names; all else is as with `command`. With variables
 * it is a LiquidJS template, in which each must have a value: `{{ seed }}`, `{{ path | sh }}` quotes for the shell.
 * Directives of the scheduler's own prefix (#SBATCH, #PBS, #$) count, over the profile's resources; one that says the
 * same as an option of the call is an error.
 *
 * @throws FileError FILE_MISSING, ConfigError TEMPLATE_INVALID, OPTION_INVALID, OPTION_UNKNOWN; by rejecting: what `command`
 * rejects with
 * @example
 * import { fs, script } from 'farcall'
 *
 * await fs.write('job.sh', '#!/bin/bash\n#SBATCH --time=10\necho "seed {{ seed }}"\n')
 * const { stdoutTail } = await script('job.sh', { seed: 42 }, { memory: '1GB' })
 * console.log(stdoutTail) // seed 42
 */
export const script: Script = Object.assign(
  function script(
    file: string,
    variables?: ScriptVariables,
    options: ScriptOptions = {},
  ): Job<CommandResult> {
    return sendCommand(callOf(file, variables, options), asCommand(options), 'script', script)
  },
  {
    async script(file: string, variables?: ScriptVariables, options: ScriptOptions = {}) {
      const call = callOf(file, variables, options)
      return new Caller(targetOf(call, checked(asCommand(options), 'script.script'))).script([call])
    },
  },
)

/** What is neither an option nor a record of them is refused where all options are looked at. */
function asCommand(options: ScriptOptions): CommandOptions {
  if (typeof options !== 'object' || options === null) return options
  const { args: _, raw: __, ...rest } = options
  return rest
}

function callOf(file: string, variables: ScriptVariables | undefined, options: ScriptOptions): CommandCall {
  if (typeof file !== 'string' || file === '')
    throw invalid(`script: expected the path of a job script, got ${JSON.stringify(file)}`)
  const { args = [], raw, check } = options ?? {}
  if (raw !== undefined && typeof raw !== 'boolean') throw invalid('script: raw: expected true or false')
  if (raw && variables !== undefined)
    throw invalid('script: raw and variables do not go together', {
      hint: 'with variables the script is a template, and with raw it is none: leave one of the two out',
    })
  requireWords(args, 'script: args')
  const text = renderJobScriptFile(resolve(file), variables, { raw: raw ?? false })
  return {
    // Jobs among them become what they give.
    argv: [basename(file), ...(args as CommandCall['argv'])],
    script: text,
    ...(check === false ? { check: false } : {}),
  }
}

function invalid(message: string, options: { hint?: string } = {}): ConfigError {
  return new ConfigError('OPTION_INVALID', message, options)
}
