import { exampleOf } from '../../client/command/example-script.ts'
import { ConfigError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import { findScheduler } from '../../scheduler/all.ts'
import { readTemplate } from '../../scheduler/render.ts'
import { kubernetesNames, templateNames } from '../../scheduler/template-names.ts'
import { printJson } from '../print.ts'
import { say } from '../talk.ts'
import { builtInTemplates } from './files.ts'

interface Options {
  profile?: string
  json?: true
}

/** @throws ConfigError */
export async function showTemplate(name: string | undefined, { profile, json }: Options): Promise<void> {
  if (name !== undefined && profile !== undefined)
    throw new ConfigError('OPTION_INVALID', `'${name}' and --profile do not go together`, {
      hint: 'without a name it is the template of the profile',
    })
  const { file, scheduler } = name === undefined ? await ofProfile(profile) : ofName(name)
  const source = readTemplate(file)
  const names: Record<string, string> = {
    ...templateNames,
    ...(/^kubernetes|^k8s$/i.test(scheduler) ? kubernetesNames : {}),
  }
  if (json) {
    printJson({ file, source, names })
    return
  }
  process.stdout.write(source)
  const width = Math.max(...Object.keys(names).map(({ length }) => length))
  const lines = Object.entries(names).map(([one, words]) => `  ${one.padEnd(width)}  ${words}`)
  say(`${file}\nIt can use:\n${lines.join('\n')}`)
  say("and the filters of LiquidJS, `sh` (quoted for the shell), `path` (~ and $VARIABLES are the cluster's)")
}

async function ofProfile(profile: string | undefined) {
  const example = await exampleOf({ options: {}, ...(profile === undefined ? {} : { profile }) })
  const { scheduler, template } = example
  return { scheduler, file: template ?? ofName(scheduler).file }
}

function ofName(name: string): { file: string; scheduler: string } {
  const all = builtInTemplates()
  const found = all.find((one) => one.name === name || one.name === canonical(name))
  if (found) return { file: found.file, scheduler: found.name }
  const near = nearest(
    name,
    all.map((one) => one.name),
  )
  throw new ConfigError('OPTION_INVALID', `there is no template '${name}'`, {
    hint: near ? `did you mean '${near}'?` : '`farcall template list` has them all',
  })
}

function canonical(name: string): string | undefined {
  if (/^k8s$/i.test(name)) return 'kubernetes'
  try {
    return findScheduler(name).name
  } catch (error) {
    // It may be a part.
    if (error instanceof ConfigError) return undefined
    throw error
  }
}
