import { ConfigError } from '../../core/errors.ts'
import type { JobNotification, Notification } from '../../core/notification.ts'
import { isOfJob, slackEscape, textOf } from './text.ts'

/** How values are written into a template: inside quotes of JSON, as Slack's text, or as they are. */
export type Escape = 'json' | 'slack' | 'none'
export type Render = (notification: Notification) => string

const escapes: Record<Escape, (text: string) => string> = {
  json: (text) => JSON.stringify(text).slice(1, -1),
  slack: slackEscape,
  none: (text) => text,
}

const sampleJob: JobNotification = {
  event: 'complete',
  id: 'fabcdefghijklm',
  name: 'sample',
  function: 'sample',
  profile: 'local',
  state: 'COMPLETED',
  attempt: 1,
  time: 0,
  items: { total: 1, done: 1, failed: 0 },
  usage: {},
}

/**
 * What renders a template of the user's. Names are strict, and tried at once: a misspelt one is told before the job
 * begins and not at its end.
 * @throws ConfigError TEMPLATE_INVALID
 */
export async function compile(text: string, escaping: Escape, where: string): Promise<Render> {
  const { Liquid, LiquidError } = await import('liquidjs')
  const write = escapes[escaping]
  const engine = new Liquid({
    strictVariables: true,
    strictFilters: true,
    lenientIf: true,
    ownPropertyOnly: true,
    templates: {},
    outputEscape: (value: unknown) => write(plain(value)),
  })
  const json = (value: unknown) => JSON.stringify(value ?? null)
  engine.registerFilter('json', {
    raw: true,
    handler: escaping === 'slack' ? (value: unknown) => slackEscape(json(value)) : json,
  })
  try {
    const parsed = engine.parse(text)
    const render: Render = (notification) => engine.renderSync(parsed, scopeOf(notification)) as string
    const tried = render(sampleJob)
    if (escaping === 'json') requireJson(tried)
    return render
  } catch (error) {
    const words = error instanceof Error ? error.message.replace(/, (file|line):.*$/s, '') : String(error)
    const line = LiquidError.is(error) ? `:${error.token.getPosition()[0]}` : ''
    throw new ConfigError('TEMPLATE_INVALID', `template of ${where}${line}: ${words}`, {
      cause: error,
      hint: 'templates of notifications are LiquidJS; docs/guide.md ("Be told") lists the names they can use',
    })
  }
}

/** @throws Error */
export function requireJson(body: string): void {
  try {
    JSON.parse(body)
  } catch {
    // The parser's own words quote the text, which may hold anything.
    throw new Error('what it gives is no JSON: a text stands in quotes, or goes through `| json`')
  }
}

/** All names are there, for all events alike. */
function scopeOf(notification: Notification): object {
  const job: Partial<JobNotification> = isOfJob(notification) ? notification : {}
  const place = isOfJob(notification) ? undefined : notification
  return {
    event: notification.event,
    profile: notification.profile,
    time: notification.time,
    text: textOf(notification),
    id: job.id ?? null,
    nativeId: job.nativeId ?? null,
    name: job.name ?? null,
    function: job.function ?? null,
    state: job.state ?? null,
    reason: job.reason ?? null,
    message: job.message ?? null,
    attempt: job.attempt ?? null,
    submittedAt: job.submittedAt ?? null,
    startedAt: job.startedAt ?? null,
    endedAt: job.endedAt ?? null,
    items: job.items ?? { total: null, done: null, failed: null },
    usage: { memory: null, time: null, cpu: null, ...job.usage },
    facts: place?.facts ?? null,
  }
}

function plain(value: unknown): string {
  if (value === null || value === undefined) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
