import { type Cluster, connect } from '../client/connect.ts'
import { settingsFor } from '../client/settings.ts'
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
 * Shows the profiles that there are, and of one of them (default: the one that a call would run with) its settings,
 * what its partitions have free, and its queue: in a notebook as tables, elsewhere as text on stdout. To choose a
 * profile: `configure({ defaultProfile: 'hpc' })`. Passwords and variables are not shown.
 *
 * @throws (by rejecting) ConfigError for a profile that is not there; TransportError, FarcallError where its machine or
 * scheduler cannot be asked
 * @example
 * import { show } from 'farcall'
 *
 * await show() // or show('hpc')
 */
export async function show(profile?: string): Promise<void> {
  const { config } = await loadConfig()
  const settings = await settingsFor(profile)
  const views: View[] = [
    profilesView({ local: { scheduler: 'direct' }, ...config.profiles }, settings.name),
    settingsView(settings.profile),
    ...(await placeViews(settings.name)),
  ]
  const screen = findScreen()
  const text = views.map((view) => view.text).join('\n\n')
  if (screen) screen.show({ 'text/html': html`${views.map((view) => view.html)}`.text, 'text/plain': text })
  else console.log(text)
}

function profilesView(profiles: Readonly<Record<string, Partial<Profile>>>, chosen: string): View {
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
  return {
    text: text.trimEnd(),
    html: table(
      heads,
      rows.map((row) => columns.map((key) => row[key])),
    ),
  }
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
