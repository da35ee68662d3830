import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, it, vi } from 'vitest'
import { close, cluster, configure, type JobNotification, type NotifyEndpoint } from '../../../src/index.ts'
import { removeFolder } from '../../remove-folder.ts'
import { type HookServer, hookServer } from './server.ts'

const { slurm } = inject('slurms').plain
const folder = mkdtempSync(join(tmpdir(), 'farcall-notify-slurm-'))
const before = { ...process.env }
const mail: NotifyEndpoint = { type: 'email', to: 'me@example.org', on: 'running-and-terminal' }
let hook: HookServer

beforeAll(() => {
  Object.assign(process.env, slurm.env)
  const here = { scheduler: 'slurm', workdir: `${folder}/work`, queryInterval: '2s', grace: '20s' } as const
  configure({ profiles: { here }, defaultProfile: 'here' })
})
beforeEach(async () => {
  hook = await hookServer()
})
afterEach(async () => {
  await close()
  await hook.close()
})
afterAll(() => {
  for (const name of Object.keys(slurm.env)) delete process.env[name]
  Object.assign(process.env, before)
  removeFolder(folder)
})

const endpoints = (): NotifyEndpoint[] => [{ type: 'webhook', url: hook.url, on: 'all' }]
const told = () => hook.received.map(({ body }) => body as JobNotification)
const events = () => told().map(({ event }) => event)

it('an array is told of once for each of its states, however its members fared', async () => {
  const mixed = cluster({ memory: '100MB', notify: endpoints() }, async (n: number) => {
    if (n === 1) throw new TypeError('one of them')
    if (n === 2) process.kill(process.pid, 'SIGKILL')
    await new Promise((resolve) => setTimeout(resolve, 1000 * n))
    return n
  })
  const array = mixed.map([0, 1, 2, 3], { chunk: 1 })
  await expect(array).rejects.toThrow('2 of 4 items failed')
  await close()
  expect(events()).toEqual(['submit', 'start', 'fail'])
  const [submit, start, fail] = told()
  expect(submit).toMatchObject({ id: array.id, nativeId: array.nativeId, name: 'mixed', profile: 'here' })
  expect(start).toMatchObject({ state: 'ACTIVE', items: { total: 4 } })
  expect(fail).toMatchObject({ state: 'FAILED', items: { total: 4, done: 2, failed: 2 } })
  expect(['exception', 'signal']).toContain(fail!.reason)
  expect(fail!.endedAt).toBeGreaterThan(fail!.startedAt!)
})

it('a job that is cancelled while it waits was never started, and one that is refused has failed', async () => {
  const work = cluster({ notify: endpoints(), native: ['--hold'] }, () => 1)
  const job = work()
  job.catch(() => {})
  await vi.waitUntil(() => hook.received.length > 0, 20_000)
  await job.cancel()
  await expect(job).rejects.toThrow('canceled')
  const refused = work.with({ partition: 'nonesuch' })()
  await expect(refused).rejects.toMatchObject({ code: 'SUBMIT_REFUSED' })
  await close()
  expect(events()).toEqual(['submit', 'cancel', 'fail'])
  expect(told()[2]).toMatchObject({
    id: refused.id,
    state: 'FAILED',
    reason: 'submit-failed',
    message: expect.stringMatching(/invalid partition/i),
  })
  expect(told()[2]!.nativeId).toBeUndefined()
})

it('e-mail is what Slurm is asked for', async () => {
  const work = cluster({ notify: [mail], native: ['--hold'] }, () => 1)
  const script = await work.script()
  expect(script).toContain('#SBATCH --mail-user=me@example.org\n')
  expect(script).toContain('#SBATCH --mail-type=BEGIN,END,FAIL\n')
  const job = work()
  job.catch(() => {})
  await vi.waitUntil(() => job.nativeId !== undefined, 20_000)
  const shown = execFileSync('scontrol', ['show', 'job', job.nativeId!], { encoding: 'utf8' })
  expect(shown).toMatch(/MailUser=me@example\.org MailType=BEGIN,END,FAIL/)
  await job.cancel()
  await expect(cluster({ notify: [mail], profile: 'local' }, () => 1)()).rejects.toMatchObject({
    code: 'RESOURCE_UNSUPPORTED',
  })
})
