import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, inject, it } from 'vitest'
import { attach, close, cluster, configure, type Profile } from '../../src/index.ts'
import { descendants, freePorts, until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { runProgram } from './helpers.ts'
import { failure, loginProfile, onLogin, openConnections } from './left.ts'

const sshd = inject('sshd')
const folder = mkdtempSync(join(tmpdir(), 'farcall-failures-ssh-'))
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
afterEach(async () => {
  await close()
  expect(await until(() => openConnections(sshd) === 0, 30_000), 'no connection is left').toBe(true)
  expect(onLogin(sshd, 'ls -A .farcall/jobs .farcall/inbox 2>/dev/null | grep -v :$ || true').trim()).toBe('')
})
afterAll(() => removeFolder(folder))

let count = 0
/** A call at the run's login node, with a profile of its own. */
const call = (over: Partial<Profile>) => {
  const name = `p${count++}`
  configure({ profiles: { [name]: loginProfile({ keep: 'none', ...over }) } })
  return cluster({ profile: name }, () => 1)()
}

describe('a host', () => {
  const unreachable = { name: 'TransportError', code: 'HOST_UNREACHABLE', hint: /host and port/ }

  it('that does not listen is told with its port', async () => {
    const [port] = await freePorts(1)
    await failure(call({ port: port! }), { ...unreachable, message: new RegExp(`listens on port ${port}`) })
  })

  it('that has no address is told by its name', async () => {
    await failure(call({ host: 'nowhere.invalid' }), { ...unreachable, message: /nowhere\.invalid/ })
  })

  it('that is not known is refused with its fingerprint', async () => {
    const expected = { name: 'TransportError', code: 'HOST_KEY_UNKNOWN', hint: /accept-new/ }
    await failure(call({ knownHosts: file('empty', '') }), { ...expected, message: /SHA256:/ })
  })

  it('that is not known is accepted when the profile says so, and known from then on', async () => {
    const knownHosts = file('accepts', '')
    expect(await call({ knownHosts, hostKey: 'accept-new' })).toBe(1)
    expect(readFileSync(knownHosts, 'utf8')).toBe(readFileSync(sshd.knownHosts, 'utf8'))
    expect(await call({ knownHosts, hostKey: 'strict' })).toBe(1)
  })

  it('whose key has changed is refused, whatever the profile says', async () => {
    const other = readFileSync(`${sshd.identityFile}.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
    const knownHosts = file('changed', `[127.0.0.1]:${sshd.port} ${other}\n`)
    const expected = { name: 'TransportError', code: 'HOST_KEY_CHANGED', hint: /ssh-keygen/ }
    await failure(call({ knownHosts, hostKey: 'accept-new' }), { ...expected, message: /changed:1/ })
  })

  it('that refuses the login is told with what was tried', async () => {
    const refused = { name: 'TransportError', code: 'LOGIN_REFUSED', hint: /./ }
    await failure(call({ user: 'nobody-here' }), { ...refused, message: /nobody-here@/ })
    const job = call({ identityFile: join(folder, 'no-key') })
    await failure(job, { name: 'ConfigError', code: 'CONFIG_INVALID', message: /no-key/ })
  })
})

describe('a login node', () => {
  it('without node is told so', async () => {
    const expected = { name: 'JobFailedError', code: 'INTERPRETER_MISSING', hint: /environment/ }
    await failure(call({ environment: { node: '/nonexistent' } }), { ...expected, message: /\/nonexistent/ })
  })

  it('where the work folder may not be written is told so', async () => {
    const unusable = { name: 'ConfigError', code: 'WORKDIR_UNUSABLE', hint: /workdir/ }
    await failure(call({ workdir: '/root/farcall' }), { ...unusable, message: /\/root.*Permission denied/ })
    await failure(call({ workdir: '/farcall' }), { ...unusable, message: /\/farcall.*Permission denied/ })
    await failure(call({ workdir: '$SCRATCH_OF_NOBODY/x' }), {
      ...unusable,
      message: /SCRATCH_OF_NOBODY.*not set/,
    })
  })

  it('where the work folder is somebody else’s, or others may write to it, is refused', async () => {
    const unsafe = { name: 'ConfigError', code: 'WORKDIR_UNSAFE', hint: /./ }
    onLogin(sshd, 'mkdir -p shared && chmod g+w shared')
    await failure(call({ workdir: '~/shared' }), { ...unsafe, message: /by others/ })
    onLogin(sshd, 'rm -r shared')
  })

  it('without slurm is told so', async () => {
    const expected = { name: 'SubmitError', code: 'SCHEDULER_MISSING', hint: /./ }
    if (onLogin(sshd, 'command -v sbatch || true').trim() !== '') return
    await failure(call({ scheduler: 'slurm' }), { ...expected, message: /sbatch/ })
  })

  it('that drops the connection while a job runs is connected to again', async () => {
    const name = `p${count++}`
    configure({ profiles: { [name]: loginProfile({ keep: 'none' }) } })
    const job = cluster({ profile: name }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 3000))
      return 'through'
    })()
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    // sshd's own processes for the session; the job is no child of theirs any more.
    for (const pid of descendants([sshd.pid])) {
      try {
        if (readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('sshd')) process.kill(pid, 'SIGKILL')
      } catch {
        // ended with its parent
      }
    }
    expect(await job).toBe('through')
  })
})

describe('a program', () => {
  const env = () => ({
    FARCALL_SCHEDULER: 'direct',
    FARCALL_HOST: sshd.host,
    FARCALL_PORT: String(sshd.port),
    FARCALL_USER: sshd.user,
    FARCALL_IDENTITY_FILE: sshd.identityFile,
    FARCALL_KNOWN_HOSTS: sshd.knownHosts,
  })

  it('ends by itself when what it awaits has ended, its connection closed', async () => {
    const program = runProgram('lifecycle.ts', ['awaited'], env())
    expect([await program.line(), await program.line()]).toEqual(['1', '[1,2,3]'])
    const { at } = JSON.parse((await program.line())!)
    const ended = await program.ended
    expect(ended).toMatchObject({ code: 0, signal: null })
    expect(ended.at - at).toBeLessThan(10_000)
    expect(program.stderr()).toBe('')
  })

  it('that detaches ends, and another finds its job', async () => {
    const program = runProgram('lifecycle.ts', ['detaches', '12000'], env())
    const { id } = JSON.parse((await program.line())!)
    const { at } = JSON.parse((await program.line())!)
    // Long before its job.
    expect((await program.ended).at - at).toBeLessThan(10_000)
    configure({ profiles: { login: loginProfile({ keep: 'none' }) } })
    expect(await attach(id, { profile: 'login' })).toBe(12_000)
  })

  it('that gets SIGINT cancels its job there', async () => {
    const program = runProgram('lifecycle.ts', ['waits'], env())
    const { id, nativeId } = JSON.parse((await program.line())!)
    program.signal('SIGINT')
    expect(await program.ended).toMatchObject({ code: 130 })
    const pid = nativeId.split(':')[2]
    const gone = () => onLogin(sshd, `[ -d /proc/${pid} ] && cut -d' ' -f3 /proc/${pid}/stat || true`).trim()
    expect(await until(() => ['', 'Z'].includes(gone()), 30_000)).toBe(true)
    onLogin(sshd, `rm -rf .farcall/jobs/${id} .farcall/inbox/*`)
  })
})
