import { readFileSync } from 'node:fs'
import { afterEach, expect, inject, it } from 'vitest'
import { type ClusterOptions, close, cluster, configure } from '../../src/index.ts'
import { failure, loginProfile, onLogin, openConnections, thrown } from './left.ts'

const sshd = inject('sshd')
afterEach(close)

/** Connections that sshd has ever logged. */
const accepted = () => readFileSync(sshd.logFile, 'utf8').split('Accepted publickey').length

it('what can be refused here is refused without a connection', async () => {
  configure({ profiles: { login: loginProfile({ keep: 'none' }) } })
  const before = accepted()
  const one = (_value?: unknown) => 1
  const options = { coers: 2 } as ClusterOptions
  thrown(() => cluster(options, one), {
    name: 'ConfigError',
    code: 'OPTION_UNKNOWN',
    message: /coers/,
    hint: /cores/,
  })
  const expected = { name: 'CaptureError', code: 'VALUE_REFUSED', hint: /./ }
  await failure(cluster({ profile: 'login' }, one)(new WeakMap()), { ...expected, message: /WeakMap/ })
  const unknown = { name: 'ConfigError', code: 'PROFILE_UNKNOWN', message: /logni/, hint: /login/ }
  await failure(cluster({ profile: 'logni' }, one)(), unknown)
  expect(await cluster({ profile: 'login' }, one).map([])).toEqual([])
  expect(await cluster({ profile: 'login' }, one).script()).toMatch(/^#!/)
  expect(accepted()).toBe(before)
  // Those of the files before may still be closing.
  await expect.poll(() => openConnections(sshd), { timeout: 20_000 }).toBe(0)
})

it('what the scheduler cannot express is refused before anything is written', async () => {
  configure({ profiles: { login: loginProfile({ keep: 'none' }) } })
  const expected = {
    name: 'ConfigError',
    code: 'RESOURCE_UNSUPPORTED',
    message: /gpus/,
    hint: /leave gpus out/,
  }
  // Other files of this run use the same login.
  const written = () => onLogin(sshd, 'find .farcall/jobs .farcall/inbox -mindepth 1 2>/dev/null || true')
  const before = written()
  await failure(cluster({ profile: 'login', gpus: 1 }, () => 1)(), expected)
  await close()
  expect(written()).toBe(before)
})
