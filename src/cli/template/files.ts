import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../../config/load.ts'
import { schedulers } from '../../scheduler/all.ts'
import { templateFolder } from '../../scheduler/render.ts'

const ending = '.sh.liquid'

export interface TemplateFile {
  /** As `template show` takes it: 'slurm', 'parts/end', 'profile hpc'. */
  readonly name: string
  /** 'part': what templates include; 'script': of farcall's own, which no template of a profile replaces. */
  readonly kind: 'scheduler' | 'part' | 'script' | 'profile'
  readonly file: string
  readonly found: boolean
}

/** Those that come with farcall: a scheduler's by the scheduler's name. */
export function builtInTemplates(): TemplateFile[] {
  const own = [
    ...schedulers.map(({ name, template }) => ({ name, template })),
    { name: 'kubernetes', template: `kubernetes${ending}` },
  ]
  const used = new Set(own.map(({ template }) => template))
  const others = readdirSync(templateFolder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(ending) && !used.has(path))
    .sort()
  const at = (path: string) => ({ file: join(templateFolder, path), found: true })
  return [
    ...own.map(({ name, template }) => ({ name, kind: 'scheduler' as const, ...at(template) })),
    ...others.map((path) => ({ name: path.slice(0, -ending.length), kind: kindOf(path), ...at(path) })),
  ]
}

const kindOf = (path: string): 'part' | 'script' => (/^(body\.|parts\/)/.test(path) ? 'part' : 'script')

/** Those that profiles name. @throws ConfigError */
export async function profileTemplates(): Promise<TemplateFile[]> {
  // Where there are several profiles and none is the default one, they are listed all the same.
  const { config } = await loadConfig({ profile: 'local' })
  return Object.entries(config.profiles ?? {}).flatMap(([name, { template }]) =>
    template === undefined
      ? []
      : [{ name, kind: 'profile' as const, file: template, found: existsSync(template) }],
  )
}
