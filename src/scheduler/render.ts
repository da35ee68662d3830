import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Liquid, LiquidError, type StaticAnalysis, type Template } from 'liquidjs'
import { ConfigError } from '../core/errors.ts'
import type { InterpreterSource } from '../core/interpreter.ts'
import { nearest } from '../core/nearest.ts'
import { anyNode, describeVersions, nodeSettingForms, parseNodeSetting } from '../core/node-setting.ts'
import type { Environment } from '../core/profile.ts'
import { requirePlainText, shellPath, shellQuote } from '../core/shell.ts'
import type { WarningSignal } from '../core/warning-signal.ts'

/** The container that the member runs in, as parts/container.sh.liquid names it. */
export interface ContainerScope {
  readonly image: string
  readonly isImageFile: boolean
  /** Those that can run it, in the order in which they are looked for. */
  readonly engines: readonly {
    readonly name: string
    readonly program: string
    readonly line: string
    readonly setupLine?: string
  }[]
  readonly mounts: readonly { readonly source: string }[]
  /** Paths of the node that are never mounted. */
  readonly denied: readonly string[]
  /** Names of variables that go inside, beside those of schedulers. */
  readonly variables: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly memoryBytes: number | undefined
  /** Names of caches; of those that the setup phase has to itself, in the order in which it takes them. */
  readonly caches: readonly string[]
  readonly locks: readonly string[]
  /** Lines of the setup phase. */
  readonly setup: string | undefined
  readonly gpus: 'nvidia' | 'amd' | false
}

/** What a job template can name. */
export interface ScriptContext {
  /** Whole lines, prefix included: '#SBATCH --time=60'. */
  readonly directives: readonly string[]
  readonly id: string
  readonly attempt: number
  readonly members: number
  /** The members that run, where it is not all of them. */
  readonly only?: readonly number[] | undefined
  /** Native ids of jobs that are to be over before it starts, where the script itself sees to that. */
  readonly after?: readonly string[] | undefined
  /** The signal that warns of the time limit, and how many seconds before. */
  readonly warning?: WarningSignal | undefined
  /** Inputs of the map, and how many of them one member runs. */
  readonly items: number
  readonly chunk: number
  /** Absolute path on the cluster. */
  readonly workdir: string
  /** Absolute path of the runtime's blob on the cluster. */
  readonly runtime: string
  /** Absolute path of the script itself on the cluster, for templates that start it anew. */
  readonly script?: string | undefined
  /** The inbox for notices. */
  readonly client: string
  /** The environment variable that holds the member's number; '' without an array. */
  readonly memberVariable: string
  readonly memberBase: 0 | 1
  /** A shell expression: how often the scheduler has restarted the job. */
  readonly restartCount: string
  /** Whether the scheduler may do that. */
  readonly restarts?: boolean
  readonly environment: Environment
  readonly container?: ContainerScope | undefined
  /** How jobs of this place came to their Node before. */
  readonly interpreter?: InterpreterSource | undefined
  /** Of each process. */
  readonly cores?: number | undefined
  /** Processes of an item on each node. */
  readonly tasksPerNode?: number | undefined
  readonly memoryBytes?: number | undefined
  readonly timeSeconds?: number | undefined
  readonly gpus?: number | undefined
  /** Members that `direct` runs at once. */
  readonly concurrency?: number | undefined
}

/** templates/ lies beside src/ and dist/ alike. */
export const templateFolder: string = fileURLToPath(new URL('../../templates/', import.meta.url))

const engine = new Liquid({
  root: templateFolder,
  strictVariables: true,
  strictFilters: true,
  lenientIf: true,
  ownPropertyOnly: true,
  cache: true,
})

engine.registerFilter('sh', (value: unknown) => {
  if (typeof value !== 'string' && typeof value !== 'number')
    throw new Error(`sh: ${value === null || value === undefined ? 'nothing' : typeof value} to quote`)
  return shellQuote(String(value))
})

engine.registerFilter('path', (value: unknown) => shellPath(String(value)))

/** @throws ConfigError TEMPLATE_INVALID */
export function readTemplate(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError(
      'TEMPLATE_INVALID',
      `template ${file} cannot be read: ${(error as Error).message}`,
      {
        hint: "check the profile's template",
        cause: error,
      },
    )
  }
}

/**
 * The job script for a context. A template is a file name of ours, or a path of the user's, which may
 * `{% include 'body.sh.liquid' %}` like ours do. Of the user's each name is looked at, also where this job does not come by.
 * @throws ConfigError TEMPLATE_INVALID naming file and line; VALUE_UNSAFE for a directive or variable
 * that cannot be written into a script
 */
export function renderScript(template: string | { path: string }, context: ScriptContext): string {
  const file = typeof template === 'string' ? join(templateFolder, template) : template.path
  const scope = toScope(context)
  const text = readTemplate(file)
  try {
    const parsed = engine.parse(text)
    const script = engine.renderSync(parsed, scope) as string
    if (typeof template !== 'string') requireNames(parsed, file, scope)
    return script
  } catch (error) {
    throw invalid(file, error, scope)
  }
}

/** `{% if %}` lets unknown names pass, and a branch that is not taken is not rendered. */
function requireNames(template: Template[], file: string, scope: object): void {
  for (const [name, places] of Object.entries(globalsOf(template, file))) {
    if (Object.hasOwn(scope, name)) continue
    const { location } = places[0]!
    throw unknownName(name, `${location.file ?? file}:${location.row}`, scope)
  }
}

function globalsOf(template: Template[], file: string): StaticAnalysis['globals'] {
  try {
    return engine.analyzeSync(template).globals
  } catch (error) {
    // Of an include that is not there, in a branch that was not taken, liquidjs does not say the line.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new ConfigError('TEMPLATE_INVALID', `template ${file}: ${(error as Error).message}`, {
      hint: '`farcall template list` has the parts that can be included',
      cause: error,
    })
  }
}

function unknownName(name: string, where: string, scope: object, cause?: unknown): ConfigError {
  const near = nearest(name, Object.keys(scope))
  return new ConfigError('TEMPLATE_INVALID', `template ${where}: undefined variable: ${name}`, {
    hint: `${near ? `did you mean '${near}'? ` : ''}\`farcall template show\` lists the names that there are; ours use them, in templates/`,
    cause,
  })
}

/** By the names that templates have. */
export function toScope(context: ScriptContext): object {
  const { environment } = context
  for (const line of context.directives) requirePlainText(line, 'directive')
  const { memberVariable } = context
  for (const name of [
    ...(memberVariable ? [memberVariable] : []),
    ...Object.keys(environment.variables ?? {}),
    ...(environment.secrets ?? []),
  ])
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw new ConfigError('VALUE_UNSAFE', `${JSON.stringify(name)} is no name of an environment variable`, {
        hint: 'use letters, digits and underscores, not starting with a digit',
      })
  return {
    ...context,
    script: context.script ?? '',
    cores: context.cores ?? null,
    tasksPerNode: context.tasksPerNode ?? 1,
    memoryBytes: context.memoryBytes ?? null,
    timeSeconds: context.timeSeconds ?? null,
    gpus: context.gpus ?? 0,
    concurrency: context.concurrency ?? null,
    only: context.only ?? [],
    after: context.after ?? [],
    restarts: context.restarts ?? false,
    warning: context.warning?.name ?? '',
    warningSeconds: context.warning?.seconds ?? 0,
    node: nodeScope(environment.node ?? 'auto'),
    container: context.container ?? null,
    nodeWaitSeconds: nodeWaitSeconds(context.timeSeconds),
    found: { module: '', ...(context.interpreter ?? { from: '' }) },
    environment: {
      node: environment.node ?? 'auto',
      loginShell: environment.loginShell ?? false,
      purge: environment.purge ?? false,
      modules: environment.modules ?? [],
      conda: environment.conda || '',
      venv: environment.venv || '',
      path: { prepend: environment.path?.prepend ?? [], append: environment.path?.append ?? [] },
      variables: environment.variables ?? {},
      secrets: environment.secrets ?? [],
      cwd: environment.cwd ?? '',
      umask: environment.umask ?? '',
    },
    // The lines as one text, for `eval`: a line that sh cannot read then fails by itself.
    setup: (environment.setup ?? []).join('\n'),
  }
}

function nodeScope(text: string): object {
  const setting = parseNodeSetting(text)
  if (!setting)
    throw new ConfigError('CONFIG_INVALID', `environment.node: expected ${nodeSettingForms}, got '${text}'`)
  const versions = 'versions' in setting ? setting.versions : anyNode
  return { ...setting, ...versions, wanted: describeVersions(versions) }
}

/** How long a job waits for a Node to be sent; no longer than half of what it was granted. */
function nodeWaitSeconds(timeSeconds = Number.POSITIVE_INFINITY): number {
  return Math.max(1, Math.min(300, Math.floor(timeSeconds / 2)))
}

function invalid(file: string, error: unknown, scope: object): ConfigError {
  if (error instanceof ConfigError) return error
  if (!LiquidError.is(error)) throw error
  if (error.originalError instanceof ConfigError) return error.originalError
  const [line] = error.token.getPosition()
  const where = error.token.file ?? file
  const words = error.message.replace(/, (file|line):.*$/, '')
  const unknown = /^undefined variable: (.*)$/.exec(words)?.[1]
  if (unknown !== undefined) return unknownName(unknown, `${where}:${line}`, scope, error)
  return new ConfigError('TEMPLATE_INVALID', `template ${where}:${line}: ${words}`, {
    hint: 'templates are LiquidJS (https://liquidjs.com); begin with a copy of one of ours, in templates/',
    cause: error,
  })
}
