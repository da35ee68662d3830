import { loadConfig } from '../../config/load.ts'
import { resolveProfile } from '../../config/profile.ts'
import { ConfigError } from '../../core/errors.ts'
import { showConfig } from '../config/show.ts'

/** @throws ConfigError */
export async function listProfiles({ json = false }: { json?: boolean }): Promise<void> {
  // Where there are several and none is the default one, they are listed all the same.
  const loaded = await loadConfig({ profile: 'local' })
  const selected = await loadConfig().then(
    (chosen) => chosen.selected,
    (error) => {
      if (error instanceof ConfigError && error.code === 'PROFILE_UNKNOWN') return undefined
      throw error
    },
  )
  const names = [...new Set([...Object.keys(loaded.config.profiles ?? {}), 'local'])]
  const rows = names.map((name) => {
    const { profile } = resolveProfile(loaded, name)
    // Of a profile in several files, the strongest that says anything of it.
    const from = [...loaded.sources].find(([key]) => key.startsWith(`profiles\0${name}\0`))?.[1].name
    return {
      name,
      default: name === selected,
      scheduler: profile.scheduler,
      ...(profile.host === undefined ? {} : { host: profile.host }),
      ...(profile.user === undefined ? {} : { user: profile.user }),
      from: from ?? 'built in',
    }
  })
  if (json) {
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
    return
  }
  const { default: Table } = await import('cli-table3')
  const table = new Table({
    head: ['', 'profile', 'scheduler', 'where', 'from'],
    style: { head: [], border: [], compact: true },
  })
  for (const { name, default: isDefault, scheduler, host, user, from } of rows) {
    const where = host === undefined ? 'this machine' : user === undefined ? host : `${user}@${host}`
    table.push([isDefault ? '*' : '', name, scheduler, where, from])
  }
  process.stdout.write(`${table.toString()}\n`)
}

/** @throws ConfigError */
export async function showProfile(name: string | undefined, options: { json?: boolean }): Promise<void> {
  await showConfig({ ...(name === undefined ? {} : { profile: name }), ...options })
}
