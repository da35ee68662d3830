import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, inject, it } from 'vitest'
import type { Profile } from '../../../src/core/profile.ts'
import { type SshdOptions, startSshd } from '../../clusters/sshd.ts'
import { removeFolder } from '../../remove-folder.ts'
import { at, steps, troubles } from './steps.ts'

const { sshd, slurm } = inject('slurms').accounting
const { host, port, user, identityFile, knownHosts } = sshd
const profile: Profile = {
  scheduler: 'slurm',
  host,
  port,
  user,
  identityFile,
  knownHosts,
  queryInterval: '2s',
}

const folder = mkdtempSync(join(tmpdir(), 'farcall-doctor-'))
chmodSync(folder, 0o755)
afterAll(() => removeFolder(folder))

/** Another login node of the same cluster and user. */
async function loginNode<T>(options: SshdOptions, use: (profile: Profile) => Promise<T>): Promise<T> {
  const account = { ...slurm.account, remove: async () => {} }
  const other = await startSshd({ account, env: slurm.env, ...options })
  try {
    const { host, port, user, identityFile, knownHosts } = other
    return await use({ ...profile, host, port, user, identityFile, knownHosts })
  } finally {
    await other.stop()
  }
}

/** A folder for PATH, with all but these. */
function withoutPrograms(name: string, without: RegExp): string {
  const path = join(folder, name)
  mkdirSync(path)
  for (const program of readdirSync('/usr/bin'))
    if (!without.test(program)) symlinkSync(join('/usr/bin', program), join(path, program))
  return path
}

/** With other lines at the end of ~/.profile. */
async function withLines<T>(lines: string, use: () => Promise<T>): Promise<T> {
  const file = join(sshd.home, '.profile')
  const before = readFileSync(file, 'utf8')
  writeFileSync(file, `${before}${lines}\n`)
  try {
    return await use()
  } finally {
    writeFileSync(file, before)
  }
}

describe('the doctor on a real Slurm', () => {
  it('finds all well, says what is there, and leaves nothing behind', async () => {
    const found = await steps(profile)
    expect(troubles(found)).toEqual([])
    expect(found.map(({ name }) => name)).toEqual([
      ...['name', 'port', 'host-key', 'login', 'link', 'shell', 'workdir', 'permissions', 'space', 'quota'],
      ...['scheduler', 'partitions', 'limits', 'node', 'job', 'compute-node', 'shared-folder', 'clock'],
    ])
    expect(at(found, 'port').found).toMatch(/answers in [\d.]+ m?s: OpenSSH_/)
    expect(at(found, 'scheduler').found).toMatch(/^slurm \d+\.\d+\.\d+ \(\/.*sbatch\)$/)
    expect(at(found, 'partitions').found).toMatch(/^short \(default\), long; short has 4 nodes, \d idle$/)
    expect(at(found, 'limits').found).toBe('short: up to 24 h; arrays of up to 10001')
    expect(at(found, 'job').facts).toMatchObject({ partition: 'short' })
    expect(at(found, 'compute-node').found).toContain(process.version)
    // One machine, but its answers may come late.
    expect(at(found, 'shared-folder').facts?.['thereAndBackSeconds']).toBeLessThan(30)
    expect(Math.abs(at(found, 'clock').facts?.['nodeSeconds'] as number)).toBeLessThan(30)
    expect(readdirSync(join(sshd.home, '.farcall', 'doctor'))).toEqual([])
  })

  it('says that sbatch refuses the account, in its words and with the way out', async () => {
    const found = await steps({ ...profile, resources: { account: 'nobodys' } })
    expect(troubles(found)).toEqual(['job: failed'])
    expect(at(found, 'job')).toMatchObject({
      code: 'SUBMIT_REFUSED',
      found: expect.stringMatching(/^the scheduler takes no job: .*Invalid account/),
      hint: expect.stringContaining('set resources.account'),
    })
  })

  it('names the partition that was meant, and a time that its limit does not allow', async () => {
    const misspelt = await steps({ ...profile, resources: { partition: 'shrot' } })
    expect(at(misspelt, 'partitions')).toMatchObject({
      verdict: 'failed',
      found: "there is no partition 'shrot'; there are short (default), long",
      hint: "did you mean 'short'? Set `resources.partition` in the profile",
    })
    expect(at(misspelt, 'job').verdict).toBe('skipped')
    const long = await steps({ ...profile, resources: { time: '3d' } }, { job: false })
    expect(at(long, 'limits').found).toBe('the profile asks for 3 days, and short allows 24 h')
  })

  it('says that a compute node has no such work folder, or another one', async () => {
    const [missing, different] = [join(folder, 'missing'), join(folder, 'different')]
    for (const path of [missing, different]) mkdirSync(path, { mode: 0o777 })
    for (const path of [missing, different]) chmodSync(path, 0o777)
    mkdirSync(join(different, 'work'), { mode: 0o777 })
    const mounts = { [missing]: 'size=20m,mode=777', [different]: 'size=20m,mode=777' }
    await loginNode({ privateMounts: mounts }, async (there) => {
      const none = await steps({ ...there, workdir: join(missing, 'work'), minFree: 0 })
      expect(at(none, 'space')).toMatchObject({ verdict: 'warning', facts: { type: 'tmpfs' } })
      expect(at(none, 'shared-folder')).toMatchObject({
        verdict: 'failed',
        code: 'WORKDIR_UNUSABLE',
        found: expect.stringMatching(/^the node that ran job \d+ has no folder .*\/missing\/work$/),
        hint: expect.stringContaining('name a `workdir` on a file system that all nodes share'),
      })
      const other = await steps({ ...there, workdir: join(different, 'work'), minFree: 0 })
      expect(at(other, 'shared-folder')).toMatchObject({
        verdict: 'failed',
        found: expect.stringContaining('has another folder at'),
      })
    })
  })

  it('says that a node has no Node, and whether one is sent; or what the setup of the environment said', async () => {
    const bare = await steps({
      ...profile,
      environment: { setup: [`PATH=${withoutPrograms('bare', /^node/)}`] },
    })
    expect(at(bare, 'compute-node')).toMatchObject({
      verdict: 'ok',
      found: expect.stringMatching(
        /^no Node >= 16 on .*: farcall sends one \(linux-(x64|arm64)\) with the first call$/,
      ),
    })
    const none = await steps({ ...profile, environment: { node: '/opt/no/such/node' } })
    expect(at(none, 'compute-node')).toMatchObject({
      verdict: 'failed',
      code: 'INTERPRETER_MISSING',
      found: expect.stringContaining('/opt/no/such/node'),
      hint: expect.stringContaining('`environment.node`'),
    })
    const wrong = await steps({
      ...profile,
      environment: { setup: ['echo licence server is away >&2', 'exit 3'] },
    })
    expect(at(wrong, 'compute-node')).toMatchObject({
      verdict: 'failed',
      found: expect.stringMatching(/ended the script with exit code 3 on .*licence server is away/),
    })
  })

  it('has no patience for ever, and takes its job out of the queue', async () => {
    const found = await steps(
      { ...profile, resources: { native: ['--begin=now+1hour'] } },
      { waitSeconds: 3 },
    )
    expect(at(found, 'job')).toMatchObject({
      verdict: 'warning',
      found: expect.stringMatching(/still waits after .*begin time.*; it was canceled$/),
    })
  })

  it('says that the scheduler cannot be found', async () => {
    const few = withoutPrograms('few', /^(sbatch|squeue|sinfo|scontrol)$/)
    const found = await withLines(`PATH=${few}`, () => steps(profile))
    expect(troubles(found)).toEqual(['scheduler: failed', 'job: skipped'])
    expect(at(found, 'scheduler')).toMatchObject({
      code: 'SCHEDULER_MISSING',
      found: 'the commands of slurm are not on PATH of a login shell there',
      hint: expect.stringContaining('~/.profile'),
    })
  })

  const faketime = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'
  it.runIf(existsSync(faketime))('says that the clock is an hour off', async () => {
    const lines = `export LD_PRELOAD=${faketime} FAKETIME=+1h`
    const found = await withLines(lines, () => steps(profile))
    expect(troubles(found)).toEqual(['clock: warning'])
    expect(at(found, 'clock')).toMatchObject({
      found: "the login node's clock is 1 h ahead of this machine's",
      hint: expect.stringContaining('a whole number of hours'),
    })
  })
})
