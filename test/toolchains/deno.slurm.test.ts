import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Sshd, startSshd } from '../clusters/sshd.ts'
import { onTerminal } from '../transport/program.ts'
import { makeProject, type Outcome, type Project, removeProjects, runProgram } from './project.ts'
import { installTools, tool } from './tools.ts'

const { host, port, user, identityFile, knownHosts } = inject('slurms').accounting.sshd
const lab = { scheduler: 'slurm', host, port, user, identityFile, knownHosts, queryInterval: '2s' }
const least = ['read', 'write', 'env', 'sys', 'run', 'ffi'].map((name) => `--allow-${name}`)

let login: Sshd

beforeAll(async () => {
  await installTools()
  login = await startSshd()
}, 600_000)

afterAll(async () => {
  await login?.stop()
  removeProjects()
})

/** A program in a folder of its own, whose jobs run by `profile`. */
function study(profile: object, text: string, name = 'program.ts'): Project {
  const config = { defaultProfile: 'far', profiles: { far: profile } }
  return makeProject({ files: { 'farcall.config.json': config, [name]: text } })
}

interface Run {
  /** Where it may connect to. */
  net?: string
  file?: string
  env?: Record<string, string>
}

const run = ({ folder }: Project, { net, file = 'program.ts', env = {} }: Run = {}): Promise<Outcome> => {
  const leave = net === undefined ? least : [...least, `--allow-net=${net}`]
  return runProgram(tool('.bin/deno'), ['run', '--no-prompt', ...leave, file], { cwd: folder, env })
}

const plain = (settings: object = {}) => ({
  scheduler: 'direct',
  host: login.host,
  port: login.port,
  user: login.user,
  identityFile: login.identityFile,
  knownHosts: login.knownHosts,
  ...settings,
})

const everything = `
import { cluster, close } from 'farcall'
const k: number = 5
class Tally { #n = 1; add(n: number) { this.#n += n; return this } get n() { return this.#n } }
const tally = new Tally().add(2)
const fn = cluster({ time: '5m' }, (x: number) => x * k + tally.n)
const where = cluster({ time: '5m' }, () => [process.env.USER ?? process.env.LOGNAME, !!process.env.SLURM_JOB_ID, 'deno' in process.versions])
const counts = cluster({ time: '5m' }, function* (n: number) { for (let i = 0; i < n; i++) yield i })
const fails = cluster({ time: '5m' }, (x: number): number => { throw new RangeError('not ' + x) })
const more = cluster({ time: '5m' }, (bytes: Uint8Array) => bytes.map((one) => one + 1))
const seen: number[] = []
const read = async () => { for await (const one of counts(3)) seen.push(one) }
const sent = new Uint8Array(12_000_000).map((_, n) => (n * 7) % 251)
const [one, map, place, error, back] = await Promise.all([
  fn(1), fn.map([1, 2, 3]), where(), fails(3).catch((thrown) => thrown), more(sent), read(),
])
const isSame = back.length === sent.length && back.every((byte, n) => byte === sent[n]! + 1)
console.log(JSON.stringify({ one, map, place, seen, isSame, error: [error.name, error.message, error.stack] }))
await close()`

function expectEverything({ stdout, stderr, code }: Outcome, project: Project, place: unknown[]): void {
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const { error, ...values } = JSON.parse(stdout)
  expect(values).toEqual({ one: 8, map: [8, 13, 18], place, seen: [0, 1, 2], isSame: true })
  const line = everything.split('\n').findIndex((text) => text.includes('throw new')) + 1
  const column = everything.split('\n')[line - 1]!.indexOf('new RangeError') + 1
  expect(error.slice(0, 2)).toEqual(['RangeError', 'not 3'])
  expect(error[2].split('\n')[1]).toContain(`${project.folder}/program.ts:${line}:${column}`)
}

describe('Deno, by ssh', () => {
  it('runs on Slurm, where it may reach the login node alone', async () => {
    const project = study(lab, everything)
    const outcome = await run(project, { net: `${host}:${port}` })
    expectEverything(outcome, project, [user, true, false])
  })

  it('attaches in another program to what one has sent', async () => {
    const project = study(
      lab,
      `
      import { cluster } from 'farcall'
      const by = 7
      const job = cluster({ time: '5m' }, (x: number) => x * by)(6)
      await job.detach()
      console.log(job.id)`,
    )
    const net = `${host}:${port}`
    const { stdout: id, stderr } = await run(project, { net })
    expect({ id, stderr }).toEqual({ id: expect.stringMatching(/^f[0-9a-z]{13}\n$/), stderr: '' })
    const text = `import { attach } from 'farcall'\nconsole.log(await attach('${id.trim()}'))`
    writeFileSync(join(project.folder, 'later.ts'), text)
    expect(await run(project, { net, file: 'later.ts' })).toEqual({ code: 0, stdout: '42\n', stderr: '' })
  })

  it('runs on a plain machine', async () => {
    const project = study(plain(), everything)
    const outcome = await run(project, { net: `${login.host}:${login.port}` })
    expectEverything(outcome, project, [login.user, false, false])
  })

  it("needs no leave to reach a host where the system's ssh goes there", async () => {
    const project = study(plain({ transport: 'openssh' }), everything)
    expectEverything(await run(project), project, [login.user, false, false])
  })

  it('may be told of a host by its name', async () => {
    const project = study(
      plain({ host: 'localhost', hostKey: 'accept-new', knownHosts: 'hosts' }),
      everything,
    )
    const outcome = await run(project, { net: `localhost:${login.port}` })
    expectEverything(outcome, project, [login.user, false, false])
  })

  it.each(['127.0.0.1', 'localhost'])('says which leave is missing: %s', async (name) => {
    const project = study(
      plain({ host: name }),
      `
      import { cluster } from 'farcall'
      const { code, message, hint } = await cluster((x: number) => x)(1).catch((error) => error)
      console.log(JSON.stringify({ code, message, hint }))`,
    )
    const { stdout } = await run(project, { net: 'localhost:1' })
    const hint = `run with --allow-net=${name}:${login.port}`
    const said = `${login.user}@${name}:${login.port}: Deno was not given leave to reach it`
    expect(JSON.parse(stdout)).toEqual({
      code: 'HOST_UNREACHABLE',
      message: `${said}\n  hint: ${hint}`,
      hint,
    })
  })

  it('logs in by the keys of an ssh-agent', async () => {
    const socket = join(login.home, 'agent')
    const started = execFileSync('ssh-agent', ['-a', socket, '-s'], { encoding: 'utf8' })
    try {
      const env = { SSH_AUTH_SOCK: socket }
      execFileSync('ssh-add', ['-q', login.identityFile], {
        env: { ...process.env, ...env },
        stdio: 'ignore',
      })
      const { identityFile: _, ...profile } = plain()
      const text = `
        import { cluster } from 'farcall'
        const by = 3
        console.log(await cluster((x: number) => x * by)(4).catch(({ message }) => message))`
      const project = study(profile, text)
      const net = `${login.host}:${login.port}`
      const outcome = await run(project, { net: `${net},unix:${socket}`, env })
      expect(outcome).toEqual({ code: 0, stdout: '12\n', stderr: '' })
      expect((await run(project, { net, env })).stdout).toContain(
        `agent: Requires net access to "unix:${socket}"`,
      )
    } finally {
      process.kill(Number(/SSH_AGENT_PID=(\d+)/.exec(started)?.[1]))
    }
  })

  it.each(['ssh', 'openssh'])(
    'asks for a passphrase at the terminal, and cancels on Ctrl-C: %s',
    async (transport) => {
      const project = study(
        plain({ identityFile: login.encryptedIdentityFile, transport }),
        `
      import { cluster } from 'farcall'
      const job = cluster(() => new Promise((resolve) => setTimeout(resolve, 60_000)))()
      for await (const { state } of job.updates()) console.log('it is', state)`,
      )
      const env = { PATH: process.env['PATH'], HOME: project.folder, NO_COLOR: '1', TERM: 'xterm' }
      const { exitCode, screen } = await onTerminal(
        ['run', '--no-prompt', ...least, `--allow-net=${login.host}:${login.port}`, 'program.ts'],
        [
          ['passphrase', `${login.passphrase}\n`],
          ['it is ACTIVE', '\x03'],
        ],
        { executable: tool('.bin/deno'), cwd: project.folder, env },
      )
      expect(screen).toContain('farcall: canceling 1 job(s)')
      expect(screen).toContain('it is CANCELED')
      expect(screen).not.toContain(login.passphrase)
      expect(exitCode).toBe(130)
    },
  )

  it('runs commands there and moves files by connect()', async () => {
    const project = study(
      plain(),
      `
      import { connect } from 'farcall'
      await using there = await connect()
      await there.fs.write('notes/today.txt', 'began')
      await there.fs.put('farcall.config.json', 'notes/settings.json')
      await there.fs.get('notes/settings.json', 'again.json')
      const { stdout } = await there.run(['sh', '-c', 'cat ~/notes/today.txt; id -un'])
      console.log(JSON.stringify([stdout, await there.fs.read('notes/today.txt', 'utf8')]))`,
    )
    const { code, stdout, stderr } = await run(project, { net: `${login.host}:${login.port}` })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual([`began${login.user}\n`, 'began'])
    const text = (name: string) => readFileSync(join(project.folder, name), 'utf8')
    expect(text('again.json')).toBe(text('farcall.config.json'))
  })

  it('connects again after the connection was lost', async () => {
    const go = join(login.home, 'go')
    const project = study(
      plain(),
      `
      import { existsSync, readFileSync, writeFileSync } from 'node:fs'
      import { cluster, close } from 'farcall'
      const go = ${JSON.stringify(go)}
      const job = cluster(async (x: number) => {
        while (!existsSync(go)) await new Promise((resolve) => setTimeout(resolve, 50))
        return x * 5
      })(2)
      for await (const { state } of job.updates()) if (state === 'ACTIVE') writeFileSync('active', '')
      console.log(await job)
      await close()`,
    )
    const outcome = run(project, { net: `${login.host}:${login.port}` })
    await expect.poll(() => existsSync(join(project.folder, 'active')), { timeout: 90_000 }).toBe(true)
    await login.shut()
    await login.reopen()
    writeFileSync(go, '')
    expect(await outcome).toEqual({ code: 0, stdout: '10\n', stderr: '' })
  })
})
