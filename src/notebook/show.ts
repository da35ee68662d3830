import { settingsFor } from '../client/options/settings.ts'
import { type Cluster, connect } from '../client/place/connect.ts'
import { loadConfig } from '../config/load.ts'
import { inColumns } from '../core/columns.ts'
import { ConfigError } from '../core/errors.ts'
import type { Profile } from '../core/profile.ts'
import { html, table } from './html.ts'
import { findScreen } from './screen.ts'
import { type View, viewOf } from './views.ts'

/** Settings that say what a profile is. What may hold a secret (passwords, variables, addresses to notify) is not among them. */
const told = [
  'scheduler',
  'host',
  'port',
  'user',
  'transport',
  'workdir',
  'queryInterval',
  'keep',
  'interrupt',
] as const

/**
 * Shows the profiles that there are, and of one of them (default: the one that a call would run with, if one is chosen)
 * its settings, what its partitions have free, and its queue: in a notebook as tables, elsewhere as text on stdout. To
 * choose a profile: `configure({ defaultProfile: 'hpc' })`. Passwords and variables are not shown.
 *
 * @throws (by rejecting) ConfigError for a profile that is not there; TransportError, FarcallError where its machine or
 * scheduler cannot be asked
 * @example
 * import { show } from 'farcall'
 *
 * await show() // or show('hpc')
 */
export async function show(profile?: string): Promise<void> {
  // Of several, none may be chosen yet: that is what this is for.
  const { config } = await loadConfig({ profile: profile ?? 'local' })
  const chosen = await settingsFor(profile).catch((error: unknown) => {
    const isOpen = profile === undefined && error instanceof ConfigError && error.code === 'PROFILE_UNKNOWN'
    if (isOpen && config.defaultProfile === undefined && !process.env['FARCALL_PROFILE']) return undefined
    throw error
  })
  const views: View[] = [
    profilesView({ local: { scheduler: 'direct' }, ...config.profiles }, chosen?.name),
    ...(chosen ? [settingsView(chosen.profile), ...(await placeViews(chosen.name))] : []),
  ]
  const screen = findScreen()
  const text = views.map((view) => view.text).join('\n\n')
  if (screen) screen.show({ 'text/html': html`${views.map((view) => view.html)}`.text, 'text/plain': text })
  else console.log(text)
}

function profilesView(
  profiles: Readonly<Record<string, Partial<Profile>>>,
  chosen: string | undefined,
): View {
  const rows = Object.entries(profiles).map(([name, { scheduler, host }]) => ({
    name: name === chosen ? `${name} *` : name,
    scheduler: scheduler ?? '',
    host: host ?? 'this machine',
  }))
  const heads = ['profile', 'scheduler', 'host'] as const
  const columns = ['name', 'scheduler', 'host'] as const
  const text = inColumns(
    rows,
    columns.map((key, at) => ({ head: heads[at]!.toUpperCase(), text: (row) => row[key] })),
  )
  const list = table(
    heads,
    rows.map((row) => columns.map((key) => row[key])),
  )
  const others = Object.keys(profiles).filter((name) => name !== chosen)
  if (others.length === 0) return { text: text.trimEnd(), html: list }
  const hint = `configure({ defaultProfile: '${others.at(-1)}' }) chooses ${chosen === undefined ? 'one' : 'another one'}`
  return { text: `${text.trimEnd()}\n${hint}`, html: html`${list}<div>${hint}</div>` }
}

function settingsView(profile: Partial<Profile>): View {
  const resources = Object.entries(profile.resources ?? {}).map(([key, value]) => [`resources.${key}`, value])
  const rows = [...told.map((key) => [key, profile[key as keyof Profile]]), ...resources]
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [String(key), typeof value === 'string' ? value : JSON.stringify(value)] as const)
  const columns = [
    { head: 'SETTING', text: (row: readonly [string, string]) => row[0] },
    { head: 'VALUE', text: (row: readonly [string, string]) => row[1] },
  ]
  return { text: inColumns(rows, columns).trimEnd(), html: table(['setting', 'value'], rows) }
}

async function placeViews(profile: string): Promise<View[]> {
  const cluster = await connect(profile)
  try {
    return [viewOf(await cluster.resources())!, await queueViewOf(cluster)]
  } finally {
    await cluster.close()
  }
}

async function queueViewOf(cluster: Cluster): Promise<View> {
  try {
    return viewOf(await cluster.queue())!
  } catch (error) {
    // A machine without a scheduler has no queue, and says so.
    if (!(error instanceof ConfigError)) throw error
    const [text = ''] = error.message.split('\n')
    return { text, html: html`<div>${text}</div>` }
  }
}
