import { Command } from 'commander'
import { knownScheduler } from '../../client/found-schedulers.ts'
import { loadConfig } from '../../config/load.ts'
import { resolveProfile } from '../../config/profile.ts'
import type { Source } from '../../config/types.ts'
import { unnamedScheduler } from '../../core/profile.ts'

interface Row {
  key: string
  value: unknown
  source: Source
}

export function configCommand(): Command {
  const show = new Command('show')
    .description('print every setting, and where it comes from')
    .option('--profile <name>', 'show this profile')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  farcall config show\n  farcall config show --profile hpc --json')
    .action(showConfig)
  return new Command('config').description('look at the configuration').addCommand(show)
}

async function showConfig(options: { profile?: string; json?: true }): Promise<void> {
  const loaded = await loadConfig(options.profile ? { profile: options.profile } : {})
  const { name, profile, sources } = resolveProfile(loaded)
  const found = profile.scheduler === unnamedScheduler ? knownScheduler(loaded.storeDir, profile) : undefined
  const byDefault: Source = { kind: 'default', name: 'default' }
  const rows: Row[] = [
    { key: 'profile', value: name, source: loaded.selectedBy },
    {
      key: 'cacheDir',
      value: loaded.cacheDir,
      source: process.env['FARCALL_CACHE_DIR']
        ? { kind: 'environment', name: 'FARCALL_CACHE_DIR' }
        : byDefault,
    },
    { key: 'store', value: loaded.storeDir, source: loaded.sources.get('store') ?? byDefault },
    ...[...sources].map(([key, source]) =>
      key === 'scheduler' && found
        ? { key, value: found.scheduler, source: { kind: 'default', name: foundOn(found.time) } as const }
        : { key, value: shown(key, valueAt(profile, key)), source },
    ),
  ]
  if (options.json) {
    const values = Object.fromEntries(rows.map(({ key, value, source }) => [key, { value, source }]))
    process.stdout.write(`${JSON.stringify({ profile: name, files: loaded.files, values }, null, 2)}\n`)
    return
  }
  const { default: Table } = await import('cli-table3')
  const table = new Table({
    head: ['setting', 'value', 'from'],
    style: { head: [], border: [], compact: true },
  })
  for (const { key, value, source } of rows)
    table.push([key, typeof value === 'string' ? value : JSON.stringify(value), source.name])
  process.stdout.write(`${table.toString()}\n`)
}

const foundOn = (time: number) => `found there on ${new Date(time).toISOString().slice(0, 10)}`

function valueAt(profile: object, key: string): unknown {
  return key.split('.').reduce<unknown>((inner, part) => (inner as Record<string, unknown>)[part], profile)
}

/** Passwords are named, never held, by a configuration; a variable for the job may still be one. */
function shown(key: string, value: unknown): unknown {
  const name = key.match(/^environment\.variables\.(.+)$/)?.[1]
  return name && /key|token|secret|passw|credential/i.test(name) ? '(not shown)' : value
}
