import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { exampleOf } from '../../client/command/example-script.ts'
import { ConfigError } from '../../core/errors.ts'
import { printJson } from '../print.ts'
import { resourcesOf } from '../resource-options.ts'
import { say } from '../talk.ts'
import { checkByShell, shellOf } from './shell-check.ts'

interface Options extends Record<string, unknown> {
  profile?: string
  scheduler?: string
  json?: true
}

/** An array is as long as it takes to see that it is one. */
const arrayItems = 3

/** @throws ConfigError TEMPLATE_INVALID, RESOURCE_UNSUPPORTED, OPTION_INVALID */
export async function checkTemplate(
  name: string | undefined,
  { profile, scheduler, json, ...options }: Options,
): Promise<void> {
  if (profile !== undefined && scheduler !== undefined)
    throw new ConfigError('OPTION_INVALID', '--profile and --scheduler do not go together', {
      hint: 'a profile has a scheduler',
    })
  const file = name === undefined ? undefined : resolve(name)
  if (file !== undefined && !statSync(file, { throwIfNoEntry: false })?.isFile())
    throw new ConfigError('OPTION_INVALID', `${name}: there is no such file`, {
      hint: 'give the path of a template; `farcall template show` prints those that come with farcall',
    })
  const example = await exampleOf({
    ...(file === undefined ? {} : { template: file }),
    ...(profile === undefined ? {} : { profile }),
    ...(scheduler === undefined ? {} : { scheduler }),
    options: resourcesOf(options),
  })
  const of = file ?? example.template ?? `of ${example.scheduler}`
  const call = await example.script(1)
  if (!json) process.stdout.write(call)
  requireReadable(call, of, '')
  requireReadable(await example.script(arrayItems), of, ` of an array of ${arrayItems}`)
  if (json)
    printJson({ template: file ?? example.template ?? null, scheduler: example.scheduler, script: call })
  say(`template ${of} is valid`)
}

/** @throws ConfigError TEMPLATE_INVALID */
function requireReadable(text: string, of: string, which: string): void {
  const found = checkByShell(text)
  if (found === undefined) return
  if (found === 'absent') {
    say(`there is no ${shellOf(text)} here: whether it can read the script was not tried`)
    return
  }
  const { shell, line, words } = found
  const shown = line === undefined ? undefined : text.split('\n')[line - 1]?.trim()
  throw new ConfigError(
    'TEMPLATE_INVALID',
    `template ${of}: ${shell} cannot read the script${which} that it gives${line === undefined ? '' : `, line ${line}`}: ${words}`,
    {
      hint: shown
        ? `the line is: ${shown}`
        : 'the script was printed; look at its end: a quote or `if` may be open',
    },
  )
}
