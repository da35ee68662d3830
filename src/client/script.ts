import { basename, resolve } from 'node:path'
import type { CommandCall, CommandResult } from '../core/command.ts'
import { ConfigError } from '../core/errors.ts'
import { type CommandOptions, checked, sendCommand, targetOf } from './command.ts'
import type { Job } from './job.ts'
import { Caller } from './remote.ts'
import { renderJobScriptFile, type ScriptVariables } from './script-template.ts'

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
  (file: string, variables?: ScriptVariables, options?: CommandOptions): Job<CommandResult>
  /** The job script that would be submitted: directives of the file are in it. Nothing is sent. */
  script(file: string, variables?: ScriptVariables, options?: CommandOptions): Promise<string>
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
    options: CommandOptions = {},
  ): Job<CommandResult> {
    return sendCommand(callOf(file, variables, options), options, 'script', script)
  },
  {
    async script(file: string, variables?: ScriptVariables, options: CommandOptions = {}) {
      const call = callOf(file, variables, options)
      return new Caller(targetOf(call, checked(options, 'script.script'))).script([call])
    },
  },
)

function callOf(file: string, variables: ScriptVariables | undefined, options: CommandOptions): CommandCall {
  if (typeof file !== 'string' || file === '')
    throw new ConfigError(
      'OPTION_INVALID',
      `script: expected the path of a job script, got ${JSON.stringify(file)}`,
    )
  const text = renderJobScriptFile(resolve(file), variables)
  return {
    argv: [basename(file)],
    script: text,
    ...(options?.check === false ? { check: false } : {}),
  }
}
