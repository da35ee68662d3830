import { z } from 'zod'
import type { NotifyEndpoint } from '../core/notification.ts'

const line = z
  .string()
  .min(1)
  .regex(/^[^\x00-\x1f\x7f]*$/)
const fromEnvironment = z.strictObject({
  env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .describe('the name of an environment variable'),
})
const on = z
  .union([
    z.enum(['terminal', 'running-and-terminal', 'all']),
    z.array(z.enum(['QUEUED', 'ACTIVE', 'COMPLETED', 'FAILED', 'CANCELED'])).readonly(),
  ])
  .describe("'terminal', 'running-and-terminal', 'all', or a list of states like ['FAILED']")
const template = z.string().min(1).describe('text in LiquidJS')

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/)
  .describe('letters, digits and dashes')
/** What is named so is a secret. */
const secretHeader = /^(proxy-)?authorization$|^cookie$|token|secret|passw|credential|api-?key/i

const slack = z
  .strictObject({
    type: z.literal('slack'),
    url: fromEnvironment.describe("{ env: 'NAME' }, the name of an environment variable"),
    on: on.exactOptional(),
    template: template.exactOptional(),
  })
  .describe("a record like { type: 'slack', url: { env: 'SLACK_WEBHOOK' } }")

const webhook = z
  .strictObject({
    type: z.literal('webhook'),
    url: z
      .union([line.refine(isPlainUrl), fromEnvironment])
      .describe("an https URL without a name or password in it, or { env: 'NAME' }"),
    method: z.enum(['POST', 'PUT', 'PATCH']).describe("'POST', 'PUT' or 'PATCH'").exactOptional(),
    headers: z
      .record(headerName, z.union([line, fromEnvironment]).describe("text, or { env: 'NAME' }"))
      .refine((all) =>
        Object.entries(all).every(([name, value]) => typeof value !== 'string' || !secretHeader.test(name)),
      )
      .readonly()
      .describe("a record of texts; a secret is named: { authorization: { env: 'NAME' } }")
      .exactOptional(),
    insecure: z.boolean().describe('true or false').exactOptional(),
    on: on.exactOptional(),
    template: template.exactOptional(),
  })
  .refine(({ url, insecure }) => typeof url !== 'string' || insecure === true || isSafe(new URL(url)), {
    path: ['url'],
  })
  .describe("a record like { type: 'webhook', url: 'https://example.org/jobs' }")

const email = z
  .strictObject({ type: z.literal('email'), to: line.describe('an e-mail address'), on: on.exactOptional() })
  .describe("a record like { type: 'email', to: 'me@example.org' }")

export const notifySchema = z
  .array(
    z
      .discriminatedUnion('type', [slack, webhook, email])
      .describe("a record whose type is 'slack', 'webhook' or 'email'"),
  )
  .readonly()
  .describe("a list of endpoints, like [{ type: 'slack', url: { env: 'SLACK_WEBHOOK' } }]")

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return /^https?:$/.test(protocol) && username === '' && password === ''
}

/** Nobody on the way can read it: it is encrypted, or stays on this machine. */
export function isSafe({ protocol, hostname }: URL): boolean {
  return (
    protocol === 'https:' || (protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname))
  )
}

true satisfies z.output<typeof notifySchema> extends readonly NotifyEndpoint[] ? true : never
