import { describe, expect, it } from 'vitest'
import { targetsOf } from '../../../src/client/notify/endpoints.ts'
import { withMail } from '../../../src/client/notify/mail.ts'
import type { JobNotification, NotifyEndpoint, NotifyOn } from '../../../src/core/notification.ts'

const done: JobNotification = {
  event: 'complete',
  id: 'fabcdefghijklm',
  name: 'simulate',
  function: 'simulate',
  profile: 'hpc',
  state: 'COMPLETED',
  attempt: 1,
  time: 0,
}
const secret = 'T0/B0/s3cr3t'

async function ready(endpoints: readonly NotifyEndpoint[], env: NodeJS.ProcessEnv = {}) {
  const warnings: string[] = []
  const targets = await targetsOf(endpoints, env, (name, why) => warnings.push(`${name}: ${why}`))
  return { targets, warnings }
}

describe('endpoints', () => {
  it('get their secrets from the environment, and are known by other names', async () => {
    const { targets, warnings } = await ready(
      [
        { type: 'slack', url: { env: 'SLACK' } },
        {
          type: 'webhook',
          url: 'https://example.org/a',
          headers: { Authorization: { env: 'TOKEN' } },
          method: 'PUT',
        },
        { type: 'webhook', url: 'https://example.org/b' },
      ],
      { SLACK: `https://hooks.slack.com/${secret}`, TOKEN: 'Bearer s3cr3t' },
    )
    expect(warnings).toEqual([])
    expect(targets.map(({ name }) => name)).toEqual([
      'slack SLACK',
      'webhook example.org',
      'webhook example.org (2)',
    ])
    const [slack, put] = targets.map((target) => target.parcel(done))
    expect(slack!.url.href).toBe(`https://hooks.slack.com/${secret}`)
    expect(put).toMatchObject({
      method: 'PUT',
      headers: {
        authorization: 'Bearer s3cr3t',
        'content-type': 'application/json',
        'idempotency-key': 'fabcdefghijklm:1:complete',
      },
    })
  })

  it.each<[string, NotifyEndpoint, NodeJS.ProcessEnv, string]>([
    [
      'a variable that is not set',
      { type: 'slack', url: { env: 'SLACK' } },
      {},
      'slack SLACK: SLACK is not set here',
    ],
    [
      'an empty one',
      { type: 'slack', url: { env: 'SLACK' } },
      { SLACK: '' },
      'slack SLACK: SLACK is not set here',
    ],
    [
      'one that is no URL',
      { type: 'slack', url: { env: 'SLACK' } },
      { SLACK: secret },
      'slack SLACK: the value of SLACK is no URL',
    ],
    [
      'http to another machine',
      { type: 'webhook', url: { env: 'HOOK' } },
      { HOOK: `http://example.org/${secret}` },
      'webhook HOOK: the value of HOOK does not begin with https:, and what is sent could be read on the way',
    ],
    [
      'another protocol, whatever is allowed',
      { type: 'webhook', url: { env: 'HOOK' }, insecure: true },
      { HOOK: `ftp://example.org/${secret}` },
      'webhook HOOK: the value of HOOK does not begin with https:, and what is sent could be read on the way',
    ],
    [
      'a password in it',
      { type: 'webhook', url: { env: 'HOOK' } },
      { HOOK: `https://me:${secret.replaceAll('/', '')}@example.org/` },
      "webhook HOOK: the value of HOOK holds a name or password: use a header, { authorization: { env: 'NAME' } }",
    ],
    [
      'a header of two lines',
      { type: 'webhook', url: 'https://example.org', headers: { authorization: { env: 'TOKEN' } } },
      { TOKEN: `${secret}\nx-admin: 1` },
      'webhook example.org: its header authorization cannot be sent as it is',
    ],
  ])('%s is told once, without the secret, and tells nobody', async (_, endpoint, env, warning) => {
    const { targets, warnings } = await ready([endpoint], env)
    expect(targets).toEqual([])
    expect(warnings).toEqual([warning])
    expect(warning).not.toContain('s3cr3t')
  })

  it('take http to this machine, and elsewhere only when that is said', async () => {
    const hosts = ['http://127.0.0.1:8080/x', 'http://localhost/x', 'http://[::1]:1/x']
    expect((await ready(hosts.map((url) => ({ type: 'webhook', url })))).targets).toHaveLength(3)
    expect(
      (await ready([{ type: 'webhook', url: 'http://10.0.0.1/', insecure: true }])).targets,
    ).toHaveLength(1)
    expect((await ready([{ type: 'webhook', url: 'http://127.0.0.1.example.org/' }])).targets).toEqual([])
  })
})

describe('e-mail', () => {
  const mail = (on?: NotifyOn): NotifyEndpoint => ({
    type: 'email',
    to: 'me@example.org',
    ...(on ? { on } : {}),
  })
  const hook: NotifyEndpoint = { type: 'webhook', url: 'https://example.org' }

  it.each<[NotifyOn | undefined, string[]]>([
    [undefined, ['END', 'FAIL']],
    ['running-and-terminal', ['BEGIN', 'END', 'FAIL']],
    ['all', ['ALL']],
    [['FAILED'], ['FAIL']],
    [['CANCELED', 'COMPLETED'], ['END']],
  ])('on %j is mailed at %j', (on, mailType) => {
    expect(withMail({}, { notify: [hook, mail(on)] })).toEqual({
      notify: [hook],
      mailUser: 'me@example.org',
      mailType,
    })
    expect(withMail({ notify: [] }, { notify: [mail(on)] })).toEqual({ notify: [] })
  })

  it('has one address, and none beside mailUser', () => {
    const two = 'notify: a job has one e-mail address, and there is me@example.org beside'
    expect(() => withMail({ notify: [mail(), mail()] }, {})).toThrow(`${two} me@example.org`)
    expect(() => withMail({ notify: [mail()], mailUser: 'you' }, {})).toThrow(`${two} mailUser`)
    expect(() => withMail({}, { notify: [mail()] }, { mailType: 'END' })).toThrow(`${two} mailType`)
    expect(() => withMail({ notify: [mail(['QUEUED'])] }, {})).toThrow(
      'no scheduler mails when a job is QUEUED',
    )
  })
})
