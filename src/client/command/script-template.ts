import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { Liquid, LiquidError } from 'liquidjs'
import { ConfigError } from '../../core/errors.ts'
import { isFileArgument } from '../../core/file-arguments.ts'
import { nearest } from '../../core/nearest.ts'
import { shellQuote } from '../../core/shell.ts'
import { fileFailure } from '../../files/failures.ts'

/**
 * What a variable of a job script may be.
 * @example
 * import { type ScriptVariables } from 'farcall'
 *
 * const variables: ScriptVariables = { seed: 42, files: ['a.csv', 'b c.csv'], verbose: true }
 */
export type ScriptVariables = Readonly<Record<string, ScriptValue>>
/** Text, numbers, and lists and records of them. */
export type ScriptValue =
  | string
  | number
  | boolean
  | readonly ScriptValue[]
  | { readonly [name: string]: ScriptValue }

/**
 * The text of a job script with its variables in place. Without variables it stays as it is; without `raw`
 * what looks like one is an error then.
 * @throws FileError FILE_MISSING, ConfigError TEMPLATE_INVALID naming file and line, OPTION_INVALID
 */
export function renderJobScriptFile(
  file: string,
  variables: ScriptVariables | undefined,
  { raw = false }: { raw?: boolean } = {},
): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw fileFailure('read', file, error)
  }
  const name = basename(file)
  if (text.includes('\0'))
    throw invalid(`${name} is no script: it holds NUL characters`, 'for a program: command([path])')
  if (variables === undefined) {
    const found = raw ? undefined : variableIn(text)
    if (found) throw noVariables(name, found)
    return requireUnixLines(text, name)
  }
  requireValues(variables)
  return requireUnixLines(render(text, file, variables), name)
}

function render(text: string, file: string, variables: ScriptVariables): string {
  const name = basename(file)
  const engine = new Liquid({
    root: dirname(file),
    strictVariables: true,
    strictFilters: true,
    lenientIf: true,
    ownPropertyOnly: true,
  })
  engine.registerFilter('sh', (value: unknown) => {
    if (Array.isArray(value)) return value.map((one) => shellQuote(String(one))).join(' ')
    return shellQuote(String(value))
  })
  try {
    const template = engine.parse(text)
    const used = engine.globalVariablesSync(template)
    const unused = Object.keys(variables).find((given) => !used.includes(given))
    if (unused !== undefined) {
      const near = nearest(unused, used)
      throw new ConfigError('TEMPLATE_INVALID', `${name}: it has no variable ${unused}`, {
        hint: near
          ? `did you mean '${near}'?`
          : used.length > 0
            ? `its variables are ${used.join(', ')}`
            : 'a variable stands in it as {{ name }}',
      })
    }
    return engine.renderSync(template, { ...variables })
  } catch (error) {
    if (!LiquidError.is(error)) throw error
    const cause = error.originalError
    const [line] = error.token.getPosition()
    const words = error.message.replace(/, (file|line):.*$/s, '')
    const missing = /^undefined variable: (.*)$/.exec(words)?.[1]
    const near = missing && nearest(missing, Object.keys(variables))
    throw new ConfigError('TEMPLATE_INVALID', `${error.token.file ?? name}:${line}: ${words}`, {
      cause: cause ?? error,
      hint: missing
        ? `give it a value: { ${missing}: … }${near ? `; you gave '${near}'` : ''}`
        : 'scripts with variables are LiquidJS (https://liquidjs.com); {% raw %} … {% endraw %} keeps text as it is',
    })
  }
}

export interface FoundVariable {
  readonly line: number
  /** '{{ seed }}' */
  readonly text: string
  readonly name: string
}

/** The first place that looks like one of a template. */
export function variableIn(script: string): FoundVariable | undefined {
  const found = /\{\{-?\s*([A-Za-z_]\w*)\s*(?:\|[^}]*)?-?\}\}/.exec(script)
  if (!found) return undefined
  return { line: script.slice(0, found.index).split('\n').length, text: found[0], name: found[1]! }
}

/** Few mean `{{ seed }}` in a script as it stands. */
function noVariables(name: string, found: FoundVariable): ConfigError {
  return new ConfigError(
    'TEMPLATE_INVALID',
    `${name}:${found.line}: ${found.text} stands in it, and no variables were given`,
    {
      hint: `script('${name}', { ${found.name}: … }); where it is meant as it stands, give { raw: true } as options`,
    },
  )
}

/** sbatch refuses such files for the same reason. */
function requireUnixLines(text: string, name: string): string {
  const line = text.split('\n').findIndex((one) => one.endsWith('\r'))
  if (line < 0) return text
  throw invalid(
    `${name}:${line + 1}: it has Windows line ends, which no shell takes`,
    `sed -i 's/\\r$//' ${name}`,
  )
}

function requireValues(variables: unknown): void {
  if (typeof variables !== 'object' || variables === null || Array.isArray(variables))
    throw invalid(
      `script: expected variables, got ${JSON.stringify(variables)}`,
      "script('job.sh', { seed: 42 })",
    )
  for (const [name, value] of Object.entries(variables)) requireValue(value, `variables.${name}`)
}

function requireValue(value: unknown, where: string): void {
  if (typeof value === 'string') {
    if (isFileArgument(value))
      throw invalid(
        `${where}: localFile() and remoteFile() cannot stand in a script`,
        "send it along with stage: { in: ['…'] }, and write the path that it has there",
      )
    if (value.includes('\0')) throw invalid(`${where}: it holds a NUL character`)
    return
  }
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) return
  const isRecord =
    typeof value === 'object' &&
    value !== null &&
    [Object.prototype, null].includes(Object.getPrototypeOf(value))
  if (Array.isArray(value) || isRecord) {
    for (const [key, each] of Object.entries(value as object)) requireValue(each, `${where}.${key}`)
    return
  }
  const what = value instanceof Promise ? 'a job or a promise: await it first' : String(value)
  throw invalid(`${where}: expected text, a number, true or false, or lists and records of them, got ${what}`)
}

function invalid(message: string, hint?: string): ConfigError {
  return new ConfigError('OPTION_INVALID', message, hint === undefined ? {} : { hint })
}
