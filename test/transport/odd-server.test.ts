import { mkdtempSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2, { type AuthContext, type KeyboardAuthContext } from 'ssh2'
import { afterEach, expect, test } from 'vitest'
import { type LoginQuestion, setLoginPrompt } from '../../src/transport/prompt.ts'
import { createLinks } from '../../src/transport/ssh-link.ts'
import { logIn } from '../../src/transport/ssh-login.ts'
import { removeFolder } from '../remove-folder.ts'

// What sshd does not do, or not at once: ssh2's own server, in this process

const cleanups: (() => void)[] = []
afterEach(() => {
  setLoginPrompt(undefined)
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

const hostKey = ssh2.utils.generateKeyPairSync('ed25519').private
const folder = mkdtempSync(join(tmpdir(), 'farcall-odd-'))
cleanups.push(() => removeFolder(folder))

interface Odd {
  banner?: string
  algorithms?: ssh2.Algorithms
  onLogin(context: AuthContext, client: ssh2.Connection): void
}

/** Serves one kind of login; gives what logs in there. */
async function serve({ banner, algorithms, onLogin }: Odd) {
  const clients = new Set<ssh2.Connection>()
  const server = new ssh2.Server(
    { hostKeys: [hostKey], ...(banner !== undefined && { banner }), ...(algorithms && { algorithms }) },
    (client) => {
      clients.add(client)
      client.on('authentication', (context) => onLogin(context, client))
      client.on('error', () => {})
      client.on('close', () => clients.delete(client))
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    for (const client of clients) client.end()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const login = (more: { password?: { env: string } } = {}) => {
    const profile = {
      host: '127.0.0.1',
      port,
      user: 'me',
      sshConfig: '/dev/null',
      knownHosts: join(folder, String(port)),
      hostKey: 'accept-new' as const,
      ...more,
    }
    const links = createLinks(profile, { random: () => 0 }, logIn)
    cleanups.push(() => void links.close())
    return links
  }
  return { login, clients }
}

const refuse = (context: AuthContext, methods: AuthContext['method'][]) => context.reject(methods)
const person = (answers: (text: string) => string) => {
  const asked: LoginQuestion[] = []
  setLoginPrompt(async (question) => {
    asked.push(question)
    return question.prompts.map(({ text }) => answers(text))
  })
  return asked
}
const failure = (links: { get(): Promise<unknown> }) =>
  links.get().then(
    () => expect.fail('it let us in'),
    (error) => error,
  )

test('several questions in one round, then one more, with instructions', async () => {
  const { login } = await serve({
    onLogin(context) {
      if (context.method !== 'keyboard-interactive') return refuse(context, ['keyboard-interactive'])
      const ask = context as KeyboardAuthContext
      const first = [
        { prompt: 'Password: ', echo: false },
        { prompt: 'Passcode or option (1-3): ', echo: true },
      ]
      ask.prompt(first, 'Duo', '1. Push\n2. Phone', (answers) => {
        if (answers?.join() !== 'secret,1') return ask.reject()
        ask.prompt([{ prompt: 'Press enter when done: ', echo: true }], (last) =>
          last?.join() === '' ? ask.accept() : ask.reject(),
        )
      })
    },
  })
  const asked = person((text) => (/Password/.test(text) ? 'secret' : /option/.test(text) ? '1' : ''))
  await login().get()
  expect(asked.map(({ instructions, prompts }) => [instructions, ...prompts])).toEqual([
    [
      '1. Push\n2. Phone',
      { text: 'Password: ', echo: false },
      { text: 'Passcode or option (1-3): ', echo: true },
    ],
    ['', { text: 'Press enter when done: ', echo: true }],
  ])
  expect(asked[0]!.target).toMatch(/^me@127\.0\.0\.1:\d+$/)
})

test('a round without questions, and a server that asks nothing at all', async () => {
  const { login } = await serve({
    onLogin(context) {
      if (context.method !== 'keyboard-interactive') return refuse(context, ['keyboard-interactive'])
      ;(context as KeyboardAuthContext).prompt([], 'Welcome', () => context.accept())
    },
  })
  const asked = person(() => '')
  await login().get()
  expect(asked).toEqual([])
  const open = await serve({ onLogin: (context) => context.accept() })
  await open.login().get()
})

test('a password that counts for a part, and a code for the rest', async () => {
  process.env['ODD_PASSWORD'] = 'secret'
  cleanups.push(() => delete process.env['ODD_PASSWORD'])
  let passed = false
  const { login } = await serve({
    onLogin(context) {
      if (!passed) {
        if (context.method !== 'password' || context.password !== 'secret')
          return refuse(context, ['password'])
        passed = true
        return context.reject(['keyboard-interactive'], true)
      }
      if (context.method !== 'keyboard-interactive') return refuse(context, ['keyboard-interactive'])
      ;(context as KeyboardAuthContext).prompt([{ prompt: 'Verification code: ', echo: false }], (answers) =>
        answers?.[0] === '123456' ? context.accept() : context.reject(),
      )
    },
  })
  const asked = person(() => '123456')
  await login({ password: { env: 'ODD_PASSWORD' } }).get()
  expect(asked.flatMap(({ prompts }) => prompts.map(({ text }) => text))).toEqual(['Verification code: '])
})

test("a one-time password is not answered by the profile's", async () => {
  process.env['ODD_PASSWORD'] = 'secret'
  cleanups.push(() => delete process.env['ODD_PASSWORD'])
  const given: string[] = []
  const { login } = await serve({
    onLogin(context) {
      if (context.method !== 'keyboard-interactive') return refuse(context, ['keyboard-interactive'])
      ;(context as KeyboardAuthContext).prompt([{ prompt: 'One-time password: ' }], (answers) => {
        given.push(...(answers ?? []))
        context.reject()
      })
    },
  })
  const error = await failure(login({ password: { env: 'ODD_PASSWORD' } }))
  expect(error).toMatchObject({
    code: 'LOGIN_INTERACTIVE',
    message: expect.stringContaining('One-time password:'),
  })
  expect(given).toEqual([])
})

test('a refusal tells what the banner said', async () => {
  const { login } = await serve({
    banner: 'Maintenance until 14:00.\r\n',
    onLogin: (context) => refuse(context, ['publickey']),
  })
  expect(await failure(login())).toMatchObject({
    code: 'LOGIN_REFUSED',
    message: expect.stringContaining('the server says: Maintenance until 14:00.'),
  })
})

test('a server that takes only what ssh2 has not names the other transport', async () => {
  const { login } = await serve({
    onLogin: (context) => refuse(context, ['gssapi-with-mic' as never, 'hostbased']),
  })
  expect(await failure(login())).toMatchObject({
    code: 'LOGIN_REFUSED',
    hint: expect.stringMatching(/transport: 'openssh'.*gssapi-with-mic/),
  })
})

test('a server with no cipher in common names the other transport', async () => {
  const { login } = await serve({
    algorithms: { cipher: ['aes256-cbc'] },
    onLogin: (context) => context.accept(),
  })
  expect(await failure(login())).toMatchObject({
    code: 'HOST_UNREACHABLE',
    hint: expect.stringContaining("transport: 'openssh'"),
  })
})

test('a server that hangs up while a person thinks is a refusal, and is not tried again', async () => {
  let connections = 0
  const { login, clients } = await serve({
    onLogin(context) {
      if (context.method !== 'keyboard-interactive') {
        connections++
        return refuse(context, ['keyboard-interactive'])
      }
      ;(context as KeyboardAuthContext).prompt([{ prompt: 'Code: ' }], () => {})
    },
  })
  let withdrawn = false
  setLoginPrompt(async (_question, signal) => {
    signal.addEventListener('abort', () => {
      withdrawn = true
    })
    for (const client of clients) client.end()
    return new Promise(() => {})
  })
  expect(await failure(login())).toMatchObject({
    code: 'LOGIN_REFUSED',
    message: expect.stringContaining('while it waited for an answer'),
  })
  expect(connections).toBe(1)
  expect(withdrawn).toBe(true)
})

test('who is not let in is asked no more than three times', async () => {
  const { login } = await serve({ onLogin: (context) => refuse(context, ['password']) })
  const asked = person(() => 'wrong')
  expect((await failure(login())).code).toBe('LOGIN_REFUSED')
  expect(asked).toHaveLength(3)
  expect(asked[0]!.prompts[0]!.text).toMatch(/^me@127\.0\.0\.1:\d+'s password: $/)
})

test('failures one after the other wait longer and longer; the first comes back at once', async () => {
  const tries: number[] = []
  const { login } = await serve({
    onLogin(context) {
      tries.push(performance.now())
      refuse(context, ['publickey'])
    },
  })
  const links = login()
  for (let i = 0; i < 4; i++) expect((await failure(links)).code).toBe('LOGIN_REFUSED')
  expect(tries).toHaveLength(4)
  // random is 0: half of 500 and of 1,000 ms
  expect(tries[2]! - tries[1]!).toBeGreaterThan(200)
  expect(tries[3]! - tries[2]!).toBeGreaterThan(450)
  // together they are one login
  const many = await Promise.all(Array.from({ length: 20 }, () => failure(links)))
  expect(many.every((error) => error.code === 'LOGIN_REFUSED')).toBe(true)
  expect(tries).toHaveLength(5)
})
