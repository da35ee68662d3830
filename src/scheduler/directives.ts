import { ConfigError } from '../core/errors.ts'
import { requirePlainText } from '../core/shell.ts'
import type { Directives, Scheduler } from './scheduler.ts'

/** What users call the resources that were renamed when their unit was read. */
const userNames: Partial<Record<keyof Directives, string>> = { memoryBytes: 'memory', timeSeconds: 'time' }

/**
 * The lines of a job script's header, prefix included, in the order of the scheduler's table. `native` lines come
 * last and as given, so that they win over ours.
 *
 * @throws ConfigError RESOURCE_UNSUPPORTED when the scheduler cannot express one of them, VALUE_UNSAFE when a
 * value holds a control character
 * @example renderDirectives(slurm, { cores: 8 }) // ['#SBATCH --cpus-per-task=8']
 */
export function renderDirectives(scheduler: Scheduler, directives: Directives): string[] {
  checkDirectives(scheduler, directives)
  const lines: string[] = []
  const write = (key: keyof Directives) => {
    const directive = scheduler.directives[key] as
      | ((value: unknown, all: Directives) => string | readonly string[])
      | 'composed'
      | 'unsupported'
    if (directives[key] !== undefined && typeof directive === 'function')
      lines.push(...[directive(directives[key], directives)].flat())
  }
  const keys = Object.keys(scheduler.directives) as (keyof Directives)[]
  for (const key of keys) if (key !== 'native') write(key)
  lines.push(...(scheduler.compose?.(directives) ?? []))
  write('native')
  const notes = scheduler.notes?.(directives) ?? []
  return [...lines.map((line) => `${scheduler.prefix} ${line}`), ...notes.map((note) => `# ${note}`)]
}

/** The directive of a scheduler whose jobs have one node. @throws ConfigError RESOURCE_UNSUPPORTED for more */
export function oneNode(nodes: number, scheduler: string, more = ''): readonly string[] {
  if (nodes === 1) return []
  throw new ConfigError('RESOURCE_UNSUPPORTED', `${scheduler} cannot express nodes: ${nodes}`, {
    hint: `a job has one node there: leave nodes out, and ask for processes on it with tasksPerNode${more}`,
  })
}

/** Refuses what the scheduler cannot express and what cannot stand on one line. */
function checkDirectives(scheduler: Scheduler, directives: Directives): void {
  for (const [key, value] of Object.entries(directives) as [keyof Directives, unknown][]) {
    if (value === undefined) continue
    const name = userNames[key] ?? key
    requirePlain(value, name)
    if (scheduler.directives[key] !== 'unsupported') continue
    throw new ConfigError('RESOURCE_UNSUPPORTED', `${scheduler.name} cannot express ${name}`, {
      hint: scheduler.immediate
        ? `${scheduler.name} starts a plain process at once, with no queue to grant it: leave ${name} out, or use a profile with another scheduler`
        : scheduler.directives.native === 'unsupported'
          ? `leave ${name} out, or use a profile with another scheduler`
          : `leave ${name} out, or give the directive that your site has for it: native: ['…']`,
    })
  }
}

function requirePlain(value: unknown, where: string): void {
  if (typeof value === 'string') requirePlainText(value, where)
  else if (Array.isArray(value))
    for (const [index, entry] of value.entries()) requirePlain(entry, `${where}[${index}]`)
  else if (typeof value === 'object' && value !== null)
    for (const [key, entry] of Object.entries(value)) requirePlain(entry, `${where}.${key}`)
}
