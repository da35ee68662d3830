import type { DecodeOptions } from '../../codec/types.ts'
import { ConfigError } from '../../core/errors.ts'
import { blank } from './outcome.ts'
import { readResult } from './result-file.ts'

/** Options of `openResult`. */
export interface OpenResultOptions {
  /** Classes whose instances, or errors, the result holds. They are known by their names. */
  classes?: readonly Function[]
}

/**
 * The value of a file that `job.result({ as: 'file' })` wrote. Binary data is read straight into the arrays of the
 * value. Instances of your own classes need the classes; their constructors are not run.
 * @throws ResultError RESULT_CORRUPT, PROTOCOL_NEWER; ConfigError OPTION_INVALID for a class that is not among `classes`
 * @example
 * import { cluster, openResult } from 'farcall'
 *
 * class Field {
 *   constructor(readonly values: Float64Array) {}
 * }
 * const simulate = cluster((n: number) => new Field(new Float64Array(n)))
 * const path = await simulate(1_000_000).result({ as: 'file' })
 * const field = openResult<Field>(path, { classes: [Field] })
 * console.log(field.values.length)
 */
export function openResult<R = unknown>(path: string, options: OpenResultOptions = {}): R {
  return readResult(path, known(path, options.classes ?? [])) as R
}

function known(path: string, classes: readonly Function[]): DecodeOptions {
  const byName = new Map<string, Function>()
  for (const type of classes) {
    if (typeof type !== 'function' || type.name === '')
      throw new ConfigError('OPTION_INVALID', 'openResult: `classes` holds what is no class with a name')
    if (byName.has(type.name))
      throw new ConfigError('OPTION_INVALID', `openResult: two of the classes are called ${type.name}`, {
        hint: 'give the one whose instances the result holds',
      })
    byName.set(type.name, type)
  }
  return {
    instantiate(_id, name = 'a class without a name') {
      const type = byName.get(name)
      if (type) return blank(type)
      throw new ConfigError(
        'OPTION_INVALID',
        `${path} holds an instance of ${name}, which is not known here`,
        {
          hint: `openResult(path, { classes: [${name}] })`,
        },
      )
    },
    errorClass: ({ names }) => byName.get(names[0] ?? ''),
  }
}
