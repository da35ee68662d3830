import { readFileSync } from 'node:fs'
import { knownScheduler } from '../../client/options/found-schedulers.ts'
import { lineOf } from '../../config/lines.ts'
import { loadConfig } from '../../config/load.ts'
import { resolveProfile } from '../../config/profile.ts'
import type { LoadedConfig, Source } from '../../config/types.ts'
import type { NotifyEndpoint } from '../../core/notification.ts'
import { unnamedScheduler } from '../../core/profile.ts'

interface Row {
  readonly key: string
  readonly value: unknown
  readonly source: Source
  /** Sources that say something else, and come after. */
  readonly over?: readonly { readonly value: unknown; readonly source: Source }[]
}

export interface ShowOptions {
  readonly profile?: string
  /** Each value's line, and what it was put over. */
  readonly origin?: boolean
  readonly json?: boolean
}

/** @throws ConfigError */
export async function showConfig(options: ShowOptions): Promise<void> {
  const loaded = await loadConfig(options.profile ? { profile: options.profile } : {})
  const { name, profile, notify, sources } = resolveProfile(loaded)
  const found = profile.scheduler === unnamedScheduler ? knownScheduler(loaded.storeDir, profile) : undefined
  const byDefault: Source = { kind: 'default', name: 'default' }
  const notifyPath = loaded.sources.has(['profiles', name, 'notify'].join('\0'))
    ? ['profiles', name, 'notify']
    : ['notify']
  const notifySource = loaded.sources.get(notifyPath.join('\0')) ?? byDefault
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
    ...(notify.notify
      ? [{ key: 'notify', value: notify.notify.map(shownEndpoint), source: notifySource }]
      : []),
    ...[...sources].map(([key, source]) =>
      key === 'scheduler' && found
        ? { key, value: found.scheduler, source: { kind: 'default', name: foundOn(found.time) } as const }
        : {
            key,
            value: shown(key, valueAt(profile, key.split('.'))),
            source,
            ...(options.origin
              ? { over: overridden(loaded, ['profiles', name, ...key.split('.')], source) }
              : {}),
          },
    ),
  ]
  if (options.json) {
    const values = Object.fromEntries(rows.map(({ key, ...rest }) => [key, rest]))
    process.stdout.write(`${JSON.stringify({ profile: name, files: loaded.files, values }, null, 2)}\n`)
    return
  }
  const { default: Table } = await import('cli-table3')
  const table = new Table({
    head: ['setting', 'value', 'from'],
    style: { head: [], border: [], compact: true },
  })
  for (const { key, value, source, over = [] } of rows) {
    const path = key === 'notify' ? notifyPath : ['profiles', name, ...key.split('.')]
    table.push([key, text(value), options.origin ? withLine(source, path) : source.name])
    for (const other of over)
      table.push(['', text(shown(key, other.value)), `not: ${withLine(other.source, path)}`])
  }
  process.stdout.write(`${table.toString()}\n`)
}

const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
const foundOn = (time: number) => `found there on ${new Date(time).toISOString().slice(0, 10)}`

/** What weaker layers say of the key. */
function overridden({ layers }: LoadedConfig, path: readonly string[], source: Source) {
  return layers.flatMap(({ source: other, config }) => {
    const value = valueAt(config, path)
    return value === undefined || other.kind === source.kind ? [] : [{ value, source: other }]
  })
}

function withLine({ kind, name }: Source, path: readonly string[]): string {
  if (!['project', 'user', 'site'].includes(kind) || !/\.(ya?ml|json)$|\.farcallrc$/.test(name)) return name
  const line = lineOf(readFileSync(name, 'utf8'), name.endsWith('package.json') ? ['farcall', ...path] : path)
  return line === undefined ? name : `${name}:${line}`
}

function valueAt(tree: object, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, part) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, part)
        ? (inner as Record<string, unknown>)[part]
        : undefined,
    tree,
  )
}

/** A URL may hold a secret behind its host. */
function shownEndpoint(endpoint: NotifyEndpoint): string {
  const { type, on } = endpoint
  const when = on === undefined ? '' : `: ${[on].flat().join(', ')}`
  if (endpoint.type === 'email') return `${type} ${endpoint.to}${when}`
  const { url } = endpoint
  return `${type} ${typeof url === 'string' ? new URL(url).host : url.env}${when}`
}

/** Passwords are named, never held, by a configuration; a variable for the job may still be one. */
function shown(key: string, value: unknown): unknown {
  const name = key.match(/^environment\.variables\.(.+)$/)?.[1]
  return name && /key|token|secret|passw|credential/i.test(name) ? '(not shown)' : value
}
