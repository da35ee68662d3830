import { isSafe } from '../../config/notify-schema.ts'
import type {
  EmailEndpoint,
  FromEnvironment,
  Notification,
  NotifyEndpoint,
  NotifyOn,
  SlackEndpoint,
  WebhookEndpoint,
} from '../../core/notification.ts'
import type { Parcel } from './post.ts'
import { compile, type Render, requireJson } from './template.ts'
import { eventKey, isOfJob, slackEscape, textOf } from './text.ts'

export type ServerEndpoint = SlackEndpoint | WebhookEndpoint

/** A server that is told, ready for use. */
export interface Target {
  /** What messages and the record know it by: it holds no secret. */
  readonly name: string
  readonly on: NotifyOn | undefined
  /** @throws Error for a template whose output cannot be sent */
  parcel(notification: Notification): Parcel
}

export const isEmail = (endpoint: NotifyEndpoint): endpoint is EmailEndpoint => endpoint.type === 'email'
const isServer = (endpoint: NotifyEndpoint): endpoint is ServerEndpoint => !isEmail(endpoint)

/**
 * The servers among endpoints, with their secrets as `env` has them. One that has none here is passed over, and `warn`
 * is told.
 * @throws ConfigError TEMPLATE_INVALID
 */
export async function targetsOf(
  endpoints: readonly NotifyEndpoint[],
  env: NodeJS.ProcessEnv,
  warn: (name: string, why: string) => void,
): Promise<Target[]> {
  const targets: Target[] = []
  for (const { name, endpoint } of named(endpoints.filter(isServer))) {
    const body = await bodyOf(endpoint, name)
    const url = urlOf(endpoint, env)
    const headers = headersOf(endpoint, env)
    if (typeof url === 'string') warn(name, url)
    else if (typeof headers === 'string') warn(name, headers)
    else {
      const method = ('method' in endpoint && endpoint.method) || 'POST'
      const parcel = (notification: Notification) => ({
        ...{ url, method, body: body(notification) },
        headers: {
          'content-type': 'application/json',
          // Who got it and could not say so is sent it again.
          ...(isOfJob(notification) ? { 'idempotency-key': eventKey(notification) } : {}),
          ...headers,
        },
      })
      targets.push({ name, on: endpoint.on, parcel })
    }
  }
  return targets
}

/** Where two would have one name they are counted, in the order in which they are written. */
function named(endpoints: readonly ServerEndpoint[]): { name: string; endpoint: ServerEndpoint }[] {
  const counts = new Map<string, number>()
  return endpoints.map((endpoint) => {
    const { type, url } = endpoint
    const first = `${type} ${typeof url === 'string' ? new URL(url).host : url.env}`
    const count = (counts.get(first) ?? 0) + 1
    counts.set(first, count)
    return { name: count === 1 ? first : `${first} (${count})`, endpoint }
  })
}

/** A text says why there is none. */
function urlOf(endpoint: ServerEndpoint, env: NodeJS.ProcessEnv): URL | string {
  const { url } = endpoint
  const text = secretOf(url, env)
  if (text === undefined) return `${(url as FromEnvironment).env} is not set here`
  const what = typeof url === 'string' ? 'its url' : `the value of ${url.env}`
  if (!URL.canParse(text)) return `${what} is no URL`
  const parsed = new URL(text)
  const insecure = 'insecure' in endpoint && endpoint.insecure === true && parsed.protocol === 'http:'
  if (!isSafe(parsed) && !insecure)
    return `${what} does not begin with https:, and what is sent could be read on the way`
  if (parsed.username !== '' || parsed.password !== '')
    return `${what} holds a name or password: use a header, { authorization: { env: 'NAME' } }`
  return parsed
}

function headersOf(endpoint: ServerEndpoint, env: NodeJS.ProcessEnv): Record<string, string> | string {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(('headers' in endpoint && endpoint.headers) || {})) {
    const text = secretOf(value, env)
    if (text === undefined) return `${(value as FromEnvironment).env} is not set here`
    if (/[^\t\x20-\x7e\x80-\xff]/.test(text)) return `its header ${name} cannot be sent as it is`
    headers[name.toLowerCase()] = text
  }
  return headers
}

/** An empty variable counts as unset. */
function secretOf(value: string | FromEnvironment, env: NodeJS.ProcessEnv): string | undefined {
  return typeof value === 'string' ? value : env[value.env] || undefined
}

async function bodyOf(endpoint: ServerEndpoint, name: string): Promise<Render> {
  const { type, template } = endpoint
  if (type === 'slack') {
    const text: Render =
      template === undefined
        ? (notification) => slackEscape(textOf(notification))
        : await compile(template, 'slack', name)
    return (notification) => JSON.stringify({ text: text(notification) })
  }
  if (template === undefined)
    return (notification) => JSON.stringify({ text: textOf(notification), ...notification })
  if (!isJson(endpoint)) return compile(template, 'none', name)
  const render = await compile(template, 'json', name)
  return (notification) => {
    const body = render(notification)
    requireJson(body)
    return body
  }
}

function isJson({ headers = {} }: WebhookEndpoint): boolean {
  const [, type] = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type') ?? []
  return typeof type !== 'string' || /[/+]json\b/i.test(type)
}
