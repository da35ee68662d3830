import { type Command, Option } from 'commander'
import { resolveResources } from '../core/resolve-resources.ts'
import { type ResourceKind, type Resources, resourceNames, resourceTable } from '../core/resources.ts'

const values: Readonly<Record<ResourceKind, string>> = {
  count: ' <number>',
  integer: ' <number>',
  memory: ' <size>',
  duration: ' <time>',
  gpus: ' <gpus>',
  word: ' <word>',
  list: ' <words>',
  'always-list': ' <directive>',
  switch: '',
}

const flagOf = (name: string) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
const isNumeric = (text: string) => /^-?\d+(\.\d+)?$/.test(text)

/** An option for each resource that there is. */
export function resourceOptions(command: Command): Command {
  for (const name of resourceNames) {
    const { kind, words } = resourceTable[name]
    const isList = kind === 'list' || kind === 'always-list'
    const option = new Option(flagOf(name) + values[kind], isList ? `${words}; may be given again` : words)
    if (isList) option.argParser((text: string, before: string[] = []) => [...before, text])
    command.addOption(option.helpGroup('Resources:'))
    if (kind === 'switch')
      command.addOption(
        new Option(`--no-${flagOf(name).slice(2)}`, `not so`).hideHelp().helpGroup('Resources:'),
      )
  }
  // commander takes a --no-… for one whose default is true.
  for (const name of resourceNames)
    if (resourceTable[name].kind === 'switch') command.setOptionValue(name, undefined)
  return command
}

/** The resources among the options. @throws ConfigError OPTION_INVALID, UNIT_INVALID, VALUE_UNSAFE */
export function resourcesOf(options: Readonly<Record<string, unknown>>): Resources {
  const resources: Record<string, unknown> = {}
  for (const name of resourceNames) {
    const value = options[name]
    if (value === undefined) continue
    const { kind } = resourceTable[name]
    const wantsNumber = kind === 'count' || kind === 'integer' || kind === 'memory' || kind === 'duration'
    if (Array.isArray(value) && kind === 'list' && value.length === 1) resources[name] = value[0]
    else resources[name] = wantsNumber && isNumeric(String(value)) ? Number(value) : value
  }
  resolveResources(resources, '--')
  return resources
}
