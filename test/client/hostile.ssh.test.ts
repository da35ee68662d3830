import { afterEach, expect, inject, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { hostile } from './hostile.ts'
import { loginProfile, onLogin } from './left.ts'

const sshd = inject('sshd')
afterEach(close)

it('hostile text goes over ssh as itself: name, variables, arguments, result, log', async () => {
  configure({ profiles: { login: loginProfile({ keep: 'none' }) } })
  const variables = Object.fromEntries(hostile.map((text, n) => [`V${n}`, text]))
  const show = cluster({ profile: 'login', environment: { variables } }, (given: string[]) => {
    for (const line of given) console.log(line)
    return { given, variables: given.map((_, n) => process.env[`V${n}`]) }
  })
  for (const name of hostile.slice(0, 6)) {
    const job = show.with({ name })(hostile)
    expect(await job).toEqual({ given: hostile, variables: hostile })
    const lines: string[] = []
    for await (const line of job.logs()) lines.push(line)
    expect(lines).toEqual(hostile)
  }
  expect(onLogin(sshd, 'find . -name pwned')).toBe('')
})

it('hostile text is a work folder there', { timeout: 120_000 }, async () => {
  for (const [n, text] of hostile.entries()) {
    // A $NAME in a workdir is the cluster's, by design; a backslash is refused.
    const workdir = `~/odd/${text.replaceAll('/', '_').replaceAll('$', 'S').replaceAll('\\', 'B')}`
    configure({ profiles: { [`odd${n}`]: loginProfile({ keep: 'none', workdir }) } })
    expect(await cluster({ profile: `odd${n}` }, () => 1)()).toBe(1)
    await close()
  }
  expect(onLogin(sshd, 'ls odd | wc -l').trim()).toBe(String(hostile.length))
  expect(onLogin(sshd, 'find . -name pwned; find odd -path "*/jobs/*"; find odd -path "*/inbox/*"')).toBe('')
})
