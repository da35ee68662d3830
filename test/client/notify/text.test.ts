import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { targetsOf } from '../../../src/client/notify/endpoints.ts'
import { compile } from '../../../src/client/notify/template.ts'
import { isWanted, slackEscape, statesOf, textOf } from '../../../src/client/notify/text.ts'
import { ConfigError } from '../../../src/core/errors.ts'
import type { JobNotification, NotifyEndpoint } from '../../../src/core/notification.ts'

const failed: JobNotification = {
  event: 'fail',
  id: 'fabcdefghijklm',
  nativeId: '4711',
  name: 'simulate',
  function: 'simulate',
  profile: 'hpc',
  state: 'FAILED',
  reason: 'exception',
  message: 'RangeError: <b> & "3"',
  attempt: 2,
  time: 1_750_000_061_000,
  submittedAt: 1_750_000_000_000,
  startedAt: 1_750_000_000_000,
  endedAt: 1_750_000_061_000,
}

/** Quotes, backslashes, Liquid's own marks, lone surrogates: whatever a name or a message may hold. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.constantFrom(
    '"',
    '\\',
    '\\"',
    '{{ id }}',
    '{% raw %}',
    '"}, "admin": true',
    '<!channel>',
    '\ud800',
    ' \n\t\0',
  ),
)
const notifications = fc
  .record({ name: hostile, message: hostile, function: hostile, profile: hostile, nativeId: hostile })
  .map((texts): JobNotification => ({ ...failed, ...texts }))

async function bodyFor(endpoint: NotifyEndpoint, notification: JobNotification): Promise<string> {
  const [target] = await targetsOf([endpoint], { HOOK: 'https://example.org/hook' }, () => {})
  return target!.parcel(notification).body
}

describe('the sentence', () => {
  it('says what, where, how, and which job', () => {
    expect(textOf(failed)).toBe(
      'simulate on hpc: failed after 61 s (exception): RangeError: <b> & "3" [job fabcdefghijklm, 4711, attempt 2]',
    )
    const { reason, message, endedAt, ...begun } = failed
    const items = { total: 1000, done: 997, failed: 3 }
    expect(textOf({ ...failed, attempt: 1, items })).toBe(
      'simulate, 1000 items, on hpc: failed after 61 s, 3 of 1000 items (exception): RangeError: <b> & "3" [job fabcdefghijklm, 4711]',
    )
    expect(textOf({ ...begun, event: 'start', state: 'ACTIVE', attempt: 1 })).toBe(
      'simulate on hpc: runs [job fabcdefghijklm, 4711]',
    )
    expect(
      textOf({
        ...begun,
        event: 'submit',
        state: 'QUEUED',
        reason: 'requeued',
        message: 'retry 1 of 3 after timeout',
      }),
    ).toBe(
      'simulate on hpc: is tried again: retry 1 of 3 after timeout [job fabcdefghijklm, 4711, attempt 2]',
    )
  })

  it('is one that Slack takes for text, and mentions nobody', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const escaped = slackEscape(text)
        expect(escaped).not.toMatch(/[<>]|&(?!(amp|lt|gt);)/)
        expect(escaped.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')).toBe(text)
      }),
    )
  })
})

describe('bodies', () => {
  const webhook = { type: 'webhook', url: 'https://example.org' } as const
  const slack = { type: 'slack', url: { env: 'HOOK' } } as const

  it('are valid JSON of just that notification, whatever it holds', async () => {
    await fc.assert(
      fc.asyncProperty(notifications, async (notification) => {
        expect(JSON.parse(await bodyFor(webhook, notification))).toEqual(
          JSON.parse(JSON.stringify({ text: textOf(notification), ...notification })),
        )
        const { text, ...more } = JSON.parse(await bodyFor(slack, notification)) as { text: string }
        expect(more).toEqual({})
        expect(text).not.toMatch(/[<>]/)
      }),
    )
  })

  it('of a template have its values inside quotes and as JSON, and nothing in one ends the quotes', async () => {
    const template =
      '{ "content": "{{ name }}: {{ message }}", "name": {{ name | json }}, "again": "{{ message | append: name }}", "attempt": {{ attempt }}, "none": {{ items.total | json }} }'
    const render = await compile(template, 'json', 'webhook')
    fc.assert(
      fc.property(notifications, (notification) => {
        const { name, message } = JSON.parse(JSON.stringify(notification)) as JobNotification
        expect(JSON.parse(render(notification))).toEqual(
          JSON.parse(
            JSON.stringify({
              content: `${notification.name}: ${notification.message}`,
              name,
              again: `${message}${name}`,
              attempt: 2,
              none: null,
            }),
          ),
        )
      }),
    )
  })

  it('of a template for Slack mention nobody, with filters too', async () => {
    const render = await compile('*{{ name }}* {{ message | upcase }} {{ name | json }}', 'slack', 'slack')
    fc.assert(
      fc.property(notifications, (notification) => {
        expect(render(notification)).not.toMatch(/[<>]/)
      }),
    )
  })

  it('are as they are written where they are no JSON', async () => {
    const plain = {
      ...webhook,
      headers: { 'Content-Type': 'text/plain' },
      template: '{{ name }} {{ message }}',
    }
    expect(await bodyFor(plain, failed)).toBe('simulate RangeError: <b> & "3"')
  })

  it.each([
    ['{ "text": "{{ nmae }}" }', 'undefined variable: nmae'],
    ['{ "text": "{{ name | shout }}" }', 'undefined filter: shout'],
    ['{ "text": "{{ name }" }', 'not closed'],
    ['{ "text": {{ name }} }', 'no JSON'],
    ['{ "text": {{ usage.mem }} }', 'undefined variable: usage.mem'],
  ])('%s is refused before there is a job', async (template, words) => {
    const error = await targetsOf([{ ...webhook, template }], {}, () => {}).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(ConfigError)
    expect(error).toMatchObject({ code: 'TEMPLATE_INVALID' })
    expect((error as Error).message).toContain(words)
    expect((error as Error).message).toContain('template of webhook example.org')
  })
})

describe('presets', () => {
  it('name states, and a report is for whoever asked', () => {
    expect(statesOf()).toEqual(['COMPLETED', 'FAILED', 'CANCELED'])
    expect(statesOf('running-and-terminal')).toEqual(['ACTIVE', 'COMPLETED', 'FAILED', 'CANCELED'])
    expect(statesOf('all')).toContain('QUEUED')
    expect(isWanted(undefined, failed)).toBe(true)
    expect(isWanted(['COMPLETED'], failed)).toBe(false)
    expect(isWanted([], { event: 'report', profile: 'hpc', time: 0, text: '3 GPUs', facts: {} })).toBe(true)
  })
})
