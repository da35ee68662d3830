import { ConfigError } from '../../core/errors.ts'

/**
 * Files that go along with a call, and files that come back.
 * @example
 * import { type StageOptions, cluster, fs } from 'farcall'
 *
 * await fs.write('data/a.csv', '1,2')
 * const stage: StageOptions = { in: ['data/*.csv'], out: ['results/**'] }
 * const double = cluster({ stage }, async () => {
 *   const [path] = await fs.glob('data/*.csv')
 *   await fs.write('results/b.csv', await fs.read(path!, 'utf8'))
 * })
 * await double()
 * console.log(await fs.read('results/b.csv', 'utf8'))
 */
export interface StageOptions {
  /** Files, folders and patterns, from the working directory of the caller; they lie at the same place in the job's. */
  in?: readonly (string | StageInput)[]
  /** Patterns of what the function writes into its working directory. A path without * must be there when it returns. */
  out?: readonly string[]
  /** The folder here that outputs go to; {id} and {index} are the job's id and the item's number. Default: the working directory. */
  to?: string
  /** Gives the function copies of its own, which it may change; else inputs can only be read. */
  copy?: boolean
  /** Fetches also what a call that failed has left; default false. */
  onFailure?: boolean
}

/** An input that is to lie elsewhere, or only a part of a folder. */
export interface StageInput {
  /** A file, a folder, or a pattern. */
  from: string
  /** Its path in the job's working directory; of several, the folder for them. */
  to?: string
  /** Patterns of names, one of which a file must have. */
  include?: readonly string[]
  /** Patterns of names that are left out. */
  exclude?: readonly string[]
}

/** @throws ConfigError OPTION_UNKNOWN, OPTION_INVALID */
export function checkStage(stage: unknown): asserts stage is StageOptions {
  if (!isRecord(stage)) throw invalid('stage', stage, 'a record with in, out, to, copy or onFailure')
  requireKeys(stage, ['in', 'out', 'to', 'copy', 'onFailure'], 'stage')
  const { in: inputs = [], out = [], to, copy, onFailure } = stage
  if (!Array.isArray(inputs)) throw invalid('stage.in', inputs, "a list: in: ['data/*.csv']")
  for (const [at, input] of inputs.entries()) {
    if (typeof input === 'string' && input !== '') continue
    if (!isRecord(input)) throw invalid(`stage.in[${at}]`, input, 'a path, a pattern, or { from, to }')
    requireKeys(input, ['from', 'to', 'include', 'exclude'], `stage.in[${at}]`)
    if (!isText(input['from'])) throw invalid(`stage.in[${at}].from`, input['from'], 'a path or a pattern')
    if (input['to'] !== undefined) requireInside(input['to'], `stage.in[${at}].to`)
    for (const name of ['include', 'exclude']) {
      const patterns = input[name] ?? []
      if (!Array.isArray(patterns) || !patterns.every(isText))
        throw invalid(`stage.in[${at}].${name}`, patterns, "a list of patterns: ['*.csv']")
    }
  }
  if (!Array.isArray(out)) throw invalid('stage.out', out, "a list of patterns: out: ['results/**']")
  for (const [at, pattern] of out.entries()) requireInside(pattern, `stage.out[${at}]`)
  if (to !== undefined && !isText(to)) throw invalid('stage.to', to, 'a folder')
  for (const [name, flag] of Object.entries({ copy, onFailure }))
    if (flag !== undefined && typeof flag !== 'boolean') throw invalid(`stage.${name}`, flag, 'true or false')
}

/** In the job's working directory, and nowhere else. */
export function requireInside(path: unknown, where: string): string {
  if (isText(path) && !path.startsWith('/') && !path.split('/').includes('..') && !path.includes('\0'))
    return path
  throw invalid(where, path, "a path below the job's working directory, without ..")
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function requireKeys(value: object, known: readonly string[], where: string): void {
  const unknown = Object.keys(value).find((key) => !known.includes(key))
  if (unknown !== undefined)
    throw new ConfigError('OPTION_UNKNOWN', `${where}.${unknown}: there is no such option`, {
      hint: `options are ${known.join(', ')}`,
    })
}

function invalid(where: string, value: unknown, wanted: string): ConfigError {
  return new ConfigError('OPTION_INVALID', `${where}: expected ${wanted}, got ${JSON.stringify(value)}`)
}
