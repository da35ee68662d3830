import { ConfigError } from '../../core/errors.ts'
import type { Resources } from '../../core/resources.ts'
import type { Executor } from '../../executor/executor.ts'
import type { ScriptDirective } from '../../scheduler/script-directives.ts'
import type { ClusterOptions } from './options.ts'
import type { Settings } from './settings.ts'
import { splitOptions } from './split-options.ts'

/** A job script of the user's, by its name. */
export interface JobScript {
  readonly name: string
  readonly text: string
}

export interface Asked {
  readonly settings: Settings
  readonly options: ClusterOptions
}

/**
 * What a job script asks for by its directives, beside what the call asks for. They count over the profile's resources; what
 * the call says as well is an error, since nobody can know which of the two is meant.
 * @throws ConfigError OPTION_INVALID, naming file and line
 */
export function withDirectives(
  { settings, options }: Asked,
  script: JobScript,
  executor: Pick<Executor, 'name' | 'directivesIn'>,
  warn: (message: string) => void,
): Asked {
  const directives = executor.directivesIn?.(script.text) ?? []
  const native: string[] = []
  const said = new Set<keyof Resources>()
  let cwd: string | undefined
  let called: string | undefined
  const { resources } = splitOptions(options)
  for (const directive of directives) {
    const { line, prefix, text, sets, use, value } = directive
    const where = `${script.name}:${line}: ${prefix} ${text}`
    requireOnce(sets, resources, where)
    if (use === 'array')
      throw invalid(`${where}: a job script cannot make itself an array here`, {
        hint: 'take the line out, and call script() for each: calls made together travel as one array job',
      })
    if (use === 'submits')
      throw invalid(`${where}: it is for whoever submits by hand`, { hint: 'take the line out' })
    if (use === 'log') warn(`${where}: left out; what it prints is in job.logs(), stdout and stderr apart`)
    if (use === 'shell') requireShell(directive, script)
    if (use === 'folder') cwd = value
    if (use) continue
    if (sets.includes('name') && value !== undefined) {
      called = value
      continue
    }
    for (const name of sets) said.add(name)
    native.push(text)
  }
  if (cwd !== undefined && options.environment?.cwd !== undefined)
    throw invalid(`${script.name} says by a directive where it begins, and so does environment.cwd`, {
      hint: 'remove one of the two',
    })
  const { profile } = settings
  const kept = Object.entries(profile.resources ?? {}).filter(([name]) => !said.has(sameName(name)))
  return {
    settings: { ...settings, profile: { ...profile, resources: Object.fromEntries(kept) } },
    options: {
      ...options,
      ...(called === undefined ? {} : { name: called }),
      ...(native.length > 0 ? { native: [...native, ...(options.native ?? [])] } : {}),
      ...(cwd === undefined ? {} : { environment: { ...options.environment, cwd } }),
    },
  }
}

const sameName = (name: string) => (name === 'queue' ? 'partition' : name) as keyof Resources

function requireOnce(sets: readonly (keyof Resources)[], resources: Resources, where: string): void {
  const both = Object.keys(resources).find((name) => sets.includes(sameName(name)))
  if (both === undefined) return
  throw invalid(`${where}: the option ${both} of the call says it, too`, {
    hint: 'remove one of the two; a directive of the file counts over the profile, and never over an option in silence',
  })
}

/** The first line says what runs it. */
function requireShell({ line, prefix, text, value }: ScriptDirective, script: JobScript): void {
  const program = /^#![ \t]*(\S+)/.exec(script.text)?.[1] ?? '/bin/sh'
  if (value === undefined || value === program) return
  throw invalid(`${script.name}:${line}: ${prefix} ${text}: its first line says ${program}`, {
    hint: `the first line says what runs it: #!${value}`,
  })
}

function invalid(message: string, options: { hint: string }): ConfigError {
  return new ConfigError('OPTION_INVALID', message, options)
}
