import { notifySchema } from '../../config/notify-schema.ts'
import { validateOption } from '../../config/problems.ts'
import { containerSchema, environmentSchema } from '../../config/schema.ts'
import { ConfigError } from '../../core/errors.ts'
import { callbackNames, type NotifyOptions } from '../../core/notification.ts'
import type { Environment } from '../../core/profile.ts'
import { resolveContainer } from '../../core/resolve-container.ts'
import { resolveResources } from '../../core/resolve-resources.ts'
import { requirePlainText } from '../../core/shell.ts'
import { checkStage } from '../staging/stage-options.ts'
import { type ClusterOptions, optionNames } from './options.ts'
import { invalid, isRecord, requireKnown, shown } from './refusals.ts'
import { splitOptions } from './split-options.ts'

/**
 * Refuses options that cannot be used, where they are written and not where the function is called.
 * @throws ConfigError OPTION_UNKNOWN, OPTION_INVALID, UNIT_INVALID, VALUE_UNSAFE
 */
export function checkOptions(options: unknown, where: string): asserts options is ClusterOptions {
  if (typeof options !== 'object' || options === null)
    throw new ConfigError('OPTION_INVALID', `${where}: expected options, got ${shown(options)}`, {
      hint: `options are a record, like { cores: 8, memory: '16GB' }`,
    })
  for (const key of Object.keys(options)) requireKnown(key, optionNames, key, 'option')
  if ('gather' in options && where !== 'cluster')
    throw new ConfigError('OPTION_INVALID', `gather: it makes another function, and ${where} cannot`, {
      hint: "say it where the function is marked: cluster({ gather: 'all', tasksPerNode: 4 }, fn)",
    })
  const { resources, profile, signal, environment, container, tags, stage, parallel, ...flags } =
    splitOptions(options as ClusterOptions)
  checkNotify(options as ClusterOptions)
  for (const name of ['cache', 'force', 'probe'] as const)
    if (typeof flags[name] !== 'boolean') throw invalid(name, flags[name], 'true or false')
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string' && tag !== ''))
    throw invalid('tags', tags, "a list of words: tags: ['…']")
  if (!['auto', 'strict', false].includes(parallel))
    throw invalid('parallel', parallel, "'auto', 'strict' or false")
  if (profile !== undefined && typeof profile !== 'string')
    throw invalid('profile', profile, "a profile's name")
  if (signal !== undefined && !isAbortSignal(signal))
    throw invalid('signal', signal, "an AbortSignal, or a signal for the scheduler like 'USR1@90'")
  checkEnvironment(environment)
  if (container !== undefined && container !== false) {
    validateOption(containerSchema, container, 'container')
    resolveContainer(container)
  }
  if (stage !== undefined) {
    checkStage(stage)
    if (flags.cache && stage.out?.length)
      throw new ConfigError(
        'OPTION_INVALID',
        '`cache` and `stage.out` do not go together: files are not kept',
        {
          hint: 'return what is to be kept, or write it to a folder of your own there',
        },
      )
  }
  resolveResources(resources)
}

/** @throws ConfigError OPTION_UNKNOWN, OPTION_INVALID */
export function checkNotify(options: NotifyOptions): void {
  if (options.notify !== undefined) validateOption(notifySchema, options.notify, 'notify')
  for (const name of callbackNames) {
    const callback: unknown = options[name]
    if (callback !== undefined && typeof callback !== 'function') throw invalid(name, callback, 'a function')
  }
}

function checkEnvironment(environment: unknown): void {
  if (isRecord(environment)) requirePlainSettings(environment)
  validateOption(environmentSchema, environment, 'environment')
  for (const [name, value] of Object.entries((environment as Environment).variables ?? {}))
    if (value.includes('\0'))
      throw new ConfigError('VALUE_UNSAFE', `environment.variables.${name}: it holds a NUL character`, {
        hint: 'no variable can hold one; pass such text as an argument of the function',
      })
}

/** What is no text of several lines by nature. */
function requirePlainSettings({
  setup,
  variables,
  secrets,
  packages,
  ...settings
}: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(settings))
    for (const [key, text] of isRecord(value) || Array.isArray(value) ? Object.entries(value) : [['', value]])
      if (typeof text === 'string')
        requirePlainText(text, `environment.${name}${Array.isArray(value) ? `[${key}]` : key && `.${key}`}`)
}

/** By what it can do: one of another realm, or of a library, is as good. */
function isAbortSignal(value: unknown): boolean {
  return isRecord(value) && 'aborted' in value && typeof value['addEventListener'] === 'function'
}
