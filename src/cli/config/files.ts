/** farcall config paths, validate, init, schema: the files themselves. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadConfig, userFolder } from '../../config/load.ts'
import { resolveProfile } from '../../config/profile.ts'
import { folderPlaces, projectPlaces } from '../../config/read.ts'
import { ConfigError } from '../../core/errors.ts'
import { requireScheduler } from '../../executor/open.ts'
import { exitCodes } from '../exit-codes.ts'
import { printJson } from '../print.ts'
import { shownPath } from '../setup/key-file.ts'
import { say } from '../talk.ts'

/** The JSON Schema of configuration files, in the package. */
export const schemaFile = fileURLToPath(new URL('../../farcall.schema.json', import.meta.url))

/** @throws ConfigError */
export async function showPaths({ json = false }: { json?: boolean }): Promise<void> {
  const { files, cacheDir, storeDir } = await loadConfig({ profile: 'local' })
  const rows = [
    {
      what: 'project',
      path: process.env['FARCALL_CONFIG'] ?? join(process.cwd(), `{${projectPlaces.join(',')}}`),
    },
    { what: 'user', path: join(userFolder(process.env, homedir()), `{${folderPlaces.join(',')}}`) },
    { what: 'site', path: join('/etc/farcall', `{${folderPlaces.join(',')}}`) },
  ]
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ read: files, looked: rows, cacheDir, storeDir, schema: schemaFile }, null, 2)}\n`,
    )
    return
  }
  const lines = [
    'Read, the strongest first:',
    ...(files.length === 0 ? ['  none'] : files.map((file) => `  ${shownPath(file)}`)),
    '',
    "Looked for (of each the first; the project's in the folders above as well):",
    ...rows.map(({ what, path }) => `  ${what.padEnd(8)}${shownPath(path)}`),
    '',
    `bundles   ${shownPath(cacheDir)}`,
    `jobs      ${shownPath(storeDir)}`,
    `schema    ${shownPath(schemaFile)}`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** All problems of all files and profiles. @throws ConfigError */
export async function validateConfig(
  files: readonly string[],
  { json = false }: { json?: boolean },
): Promise<void> {
  const problems: { file?: string; problem: string }[] = []
  const read: string[] = []
  const check = async (env: NodeJS.ProcessEnv, file?: string) => {
    try {
      const loaded = await loadConfig({ env, profile: 'local' })
      read.push(...(file === undefined ? loaded.files : [file]))
      for (const name of Object.keys(loaded.config.profiles ?? {})) checkProfile(loaded, name)
      const { defaultProfile } = loaded.config
      if (defaultProfile !== undefined) resolveProfile(loaded, defaultProfile)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      for (const problem of error.message.split('\n').filter((line) => !line.startsWith('  hint:')))
        problems.push({ ...(file === undefined ? {} : { file }), problem })
    }
  }
  if (files.length === 0) await check(process.env)
  for (const file of files) await check({ ...process.env, FARCALL_CONFIG: resolve(file) }, file)
  if (json) process.stdout.write(`${JSON.stringify({ read, problems }, null, 2)}\n`)
  else {
    for (const { problem } of problems) process.stdout.write(`${problem}\n`)
    if (problems.length === 0)
      process.stderr.write(
        read.length === 0
          ? 'There is no configuration.\n'
          : `Good: ${read.map((file) => shownPath(file)).join(', ')}\n`,
      )
  }
  if (problems.length > 0) process.exitCode = exitCodes.configuration
}

function checkProfile(loaded: Parameters<typeof resolveProfile>[0], name: string): void {
  const { profile } = resolveProfile(loaded, name)
  requireScheduler(profile.scheduler)
}

export interface InitOptions {
  readonly project?: boolean
  readonly format?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

const formats = ['yaml', 'json', 'ts'] as const

/** @throws ConfigError CONFIG_INVALID when there is one already */
export async function initConfig({
  project = false,
  format = 'yaml',
  dryRun = false,
  json = false,
}: InitOptions): Promise<void> {
  if (!formats.includes(format as never))
    throw new ConfigError('OPTION_INVALID', `--format: '${format}' is none`, {
      hint: `give ${formats.join(', ')}`,
    })
  const folder = project ? process.cwd() : userFolder(process.env, homedir())
  const places = project ? projectPlaces.filter((name) => name !== 'package.json') : folderPlaces
  const there = places.map((name) => join(folder, name)).find(existsSync)
  if (there !== undefined)
    throw new ConfigError('CONFIG_INVALID', `${shownPath(there)} is there already`, {
      hint: 'it is left as it is; `farcall config set` and `farcall profile add` change it',
    })
  const file = join(folder, project ? `farcall.config.${format}` : `config.${format}`)
  const schema = project ? './node_modules/farcall/dist/farcall.schema.json' : schemaFile
  const text = firstText(format as (typeof formats)[number], schema)
  if (!dryRun) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(file, text, { mode: 0o600, flag: 'wx' })
  }
  if (json) printJson({ file, text, written: !dryRun })
  else process.stdout.write(dryRun ? text : `${file}\n`)
  if (dryRun) say(`That would be ${shownPath(file)}; nothing was written (--dry-run).`)
}

function firstText(format: (typeof formats)[number], schema: string): string {
  if (format === 'json') {
    const config = { $schema: schema, profiles: { here: { scheduler: 'direct' } } }
    return `${JSON.stringify(config, null, 2)}\n`
  }
  if (format === 'ts')
    return `import { defineConfig } from 'farcall'

export default defineConfig({
  profiles: {
    here: { scheduler: 'direct' },
    // hpc: { scheduler: 'slurm', host: 'login.hpc.edu', workdir: '$SCRATCH/farcall', resources: { time: '1h' } },
  },
})
`
  return `# yaml-language-server: $schema=${schema}
# Every key: docs/configuration.md, or \`farcall config show\`.
# defaultProfile: hpc
profiles:
  here:
    scheduler: direct
  # hpc:
  #   scheduler: slurm
  #   host: login.hpc.edu # or an alias of ~/.ssh/config
  #   workdir: $SCRATCH/farcall
  #   resources: { partition: short, time: 1h }
`
}

/** @throws Error when the package was not built */
export function printSchema(): void {
  process.stdout.write(readFileSync(schemaFile, 'utf8'))
}
