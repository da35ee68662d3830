import { types } from 'node:util'
import { ConfigError } from '../core/errors.ts'
import { defaultWindow, type StreamWindow } from '../core/yields.ts'
import type { ClusterOptions } from './options/options.ts'
import { splitOptions } from './options/split-options.ts'

/** What compilers make of an async generator for targets that have none. */
const lowered = /^[^{]*\{\s*return\s+(?:\w+\.)?__asyncGenerator(?:\d*|_\w+)\(/

/** Whether calls of it are streams. */
export function isGenerator(fn: Function): boolean {
  return types.isGeneratorFunction(fn) || lowered.test(Function.prototype.toString.call(fn))
}

/** How far it may be ahead of who reads it; undefined: it is no generator. @throws ConfigError OPTION_INVALID */
export function windowOf(fn: Function, options: ClusterOptions): StreamWindow | undefined {
  const { window, cache } = splitOptions(options)
  if (!isGenerator(fn)) {
    if (window === undefined) return undefined
    throw new ConfigError('OPTION_INVALID', `window: ${nameOf(fn)} is no generator function`, {
      hint: 'it says how far one may yield ahead; mark the function* itself',
    })
  }
  if (cache)
    throw new ConfigError('OPTION_INVALID', `cache: ${nameOf(fn)} is a generator function`, {
      hint: 'what is yielded is not kept; mark a function that returns all of it as an array',
    })
  return { ...defaultWindow, ...window }
}

/** @throws ConfigError OPTION_INVALID */
export function refuseMap(fn: Function, method: string): void {
  if (!isGenerator(fn)) return
  const name = nameOf(fn)
  throw new ConfigError(
    'OPTION_INVALID',
    `${method}: ${name} is a generator function, and its calls are streams`,
    {
      hint: `call it for each item, or map a function that collects: async (x) => { const all = []; for await (const y of ${name}(x)) all.push(y); return all }`,
    },
  )
}

const nameOf = ({ name }: Function) => name || 'the function'
