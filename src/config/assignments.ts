/** Settings as people type them: `resources.time=2h`, `environment.modules=[gcc, cuda]`. */
import { parse } from 'yaml'
import { ConfigError } from '../core/errors.ts'
import type { Edit } from './edit.ts'
import { validate } from './problems.ts'
import { configSchema } from './schema.ts'

/**
 * `KEY=VALUE` as an edit. The value is read as YAML, and as plain text where only that fits (`host=1234`).
 * @param within what the key begins below: ['profiles', 'hpc']
 * @throws ConfigError OPTION_INVALID for text that is no assignment, CONFIG_INVALID for a key or value that cannot be
 */
export function readAssignment(text: string, within: readonly string[] = []): Edit {
  const at = text.indexOf('=')
  if (at < 1)
    throw new ConfigError('OPTION_INVALID', `'${text}' sets nothing`, {
      hint: "write KEY=VALUE, like resources.time=2h or environment.modules='[gcc, cuda]'",
    })
  return setting(text.slice(0, at), text.slice(at + 1), within)
}

/** The same from a key and a value. @throws ConfigError OPTION_INVALID, CONFIG_INVALID */
export function setting(key: string, text: string, within: readonly string[] = []): Edit {
  const path = settingPath(key, within)
  const meant = yamlValue(text)
  let problem: unknown
  for (const value of meant === text ? [text] : [meant, text]) {
    try {
      checkSetting(path, value)
      return { path, value }
    } catch (error) {
      problem ??= error
    }
  }
  throw problem
}

/** A key as a path. Below `profiles` the name is one word, dots and all, where it is in quotes: profiles."a.b".host */
export function settingPath(key: string, within: readonly string[] = []): Edit['path'] {
  const words = [...key.matchAll(/(?:^|\.)(?:"([^"]+)"|([^."]+))/g)]
  if (words.map(([whole]) => whole).join('') !== key || words.length === 0 || /^\.|__proto__/.test(key))
    throw new ConfigError('OPTION_INVALID', `'${key}' is no key`, {
      hint: 'write names with dots between them, like profiles.hpc.resources.time',
    })
  return [...within, ...words.map(([, quoted, plain]) => quoted ?? plain!)] as unknown as Edit['path']
}

/** @throws ConfigError CONFIG_INVALID when no configuration can hold that value there */
export function checkSetting(path: Edit['path'], value: unknown): void {
  const tree = path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
  validate(configSchema, tree, (where) => where.map(String).join('.'))
}

function yamlValue(text: string): unknown {
  let value: unknown
  try {
    value = parse(text, { logLevel: 'error' })
  } catch {
    return text // no YAML: it means itself
  }
  // Text that stands without quotes is all of it: YAML would take ` #1` for a comment.
  return typeof value === 'string' && !/^["']/.test(text) ? text : value
}
