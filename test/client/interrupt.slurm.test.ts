import { afterAll, beforeAll, expect, inject, it, onTestFinished } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { isAlive } from '../clusters/processes.ts'
import { runProgram } from './helpers.ts'
import { onLogin } from './left.ts'

const { sshd } = inject('slurms').accounting
const workdir = '~/interrupt'
const { host, port, user, identityFile, knownHosts } = sshd
const there = { scheduler: 'slurm', host, port, user, identityFile, knownHosts, workdir, queryInterval: '2s' }
const env = {
  FARCALL_SCHEDULER: 'slurm',
  FARCALL_HOST: host,
  FARCALL_PORT: String(port),
  FARCALL_USER: user,
  FARCALL_IDENTITY_FILE: identityFile,
  FARCALL_KNOWN_HOSTS: knownHosts,
  FARCALL_WORKDIR: workdir,
  FARCALL_QUERY_INTERVAL: '2s',
}

beforeAll(() => configure({ profiles: { there }, defaultProfile: 'there' }))
afterAll(close)

/** What lies in the work folder of jobs and notices, and which of these jobs Slurm still has. */
const stays = () => onLogin(sshd, `cd interrupt && ls -A jobs inbox | grep -v -e : -e '^$' || true`)
const queued = (ids: readonly string[]) =>
  onLogin(sshd, `squeue -h -t PD,R -o '%i %T' -j ${ids.join(',')} || true`).trim()

it('Ctrl-C in a program whose jobs run and wait: none is left, in the queue or as a folder', {
  timeout: 120_000,
}, async () => {
  const program = runProgram('lifecycle.ts', ['several'], env)
  onTestFinished(() => {
    if (isAlive(program.pid)) process.kill(program.pid, 'SIGKILL')
  })
  const ids = JSON.parse((await program.line())!) as string[]
  expect(queued(ids)).not.toBe('')
  program.signal('SIGINT')
  expect(await program.ended).toMatchObject({ code: 130 })
  expect(program.stderr()).toMatch(/^farcall: canceling 3 job\(s\), [^\n]+; once more to leave them\n$/)
  await expect.poll(() => queued(ids), { timeout: 20_000 }).toBe('')
  expect(stays()).toBe('')
})

it('`await using` of a job that runs, one that waits and a map: none is left', {
  timeout: 120_000,
}, async () => {
  const wait = cluster({ memory: '20MB' }, () => new Promise((resolve) => setTimeout(resolve, 600_000)))
  const ids: string[] = []
  {
    await using job = wait()
    await using held = wait.with({ native: ['--hold'] })()
    await using array = wait.map([undefined, undefined, undefined] as never[])
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    await expect.poll(() => held.nativeId && array.nativeId, { timeout: 20_000 }).toBeDefined()
    ids.push(job.nativeId!, held.nativeId!, array.nativeId!)
  }
  await expect.poll(() => queued(ids), { timeout: 20_000 }).toBe('')
  await close()
  expect(stays()).toBe('')
})
