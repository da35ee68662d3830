import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, inject, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { run } from '../clusters/processes.ts'
import { forgetLimits } from './left.ts'

const { sshd, sge } = inject('sge')
const { host, port, user, identityFile, knownHosts } = sshd
const command = async (file: string, ...args: string[]) =>
  (await run(file, args, { env: { ...sge.env }, cwd: '/' })).stdout

/** As `qconf -mconf`, whose editor sees the configuration and leaves it changed. */
async function set(limits: Readonly<Record<string, number>>): Promise<void> {
  const editor = join(tmpdir(), `farcall-mconf-${process.pid}.sh`)
  const edits = Object.entries(limits).map(([name, value]) => `-e 's/^${name} .*/${name} ${value}/'`)
  writeFileSync(editor, `#!/bin/sh\nsed -i ${edits.join(' ')} "$1"\n`, { mode: 0o755 })
  await run('qconf', ['-mconf'], { env: { ...sge.env, EDITOR: editor }, cwd: '/' })
  const configuration = await command('qconf', '-sconf')
  for (const [name, value] of Object.entries(limits))
    expect(configuration).toMatch(new RegExp(`^${name} +${value}$`, 'm'))
}

const usual = { max_aj_tasks: 75_000, max_u_jobs: 0 }
afterEach(async () => {
  await set(usual)
  forgetLimits()
})
afterAll(close)

/** A profile of its own has a session of its own, which reads the limits anew. */
const place = (queryInterval: string) => {
  const profile = { scheduler: 'sge', host, port, user, identityFile, knownHosts, queryInterval } as const
  configure({ profiles: { [queryInterval]: profile } })
  return { profile: queryInterval, time: '5m' } as const
}

describe('limits of a live Grid Engine', () => {
  it('are told by it: a map has as many tasks as an array may have', async () => {
    await set({ max_aj_tasks: 4 })
    const f = cluster(place('2s'), (n: number) => n * 2)
    expect(await f.map.plan(Array.from({ length: 10 }, (_, n) => n))).toMatchObject({
      members: 4,
      decidedBy: ['array-size'],
    })
  })

  it('are learned from its refusal, and known from then on', async () => {
    const f = cluster({ ...place('3s'), chunk: 1 }, (n: number) => [n, Number(process.env['SGE_TASK_ID'])])
    const inputs = Array.from({ length: 8 }, (_, n) => n)
    expect(await f.map.plan(inputs)).toMatchObject({ submissions: 1 })
    await set({ max_aj_tasks: 3 })
    expect(await f.map(inputs)).toEqual(inputs.map((n) => [n, 1 + Math.floor(n / 3)]))
    await set(usual)
    await close()
    // three jobs of the chunk that was asked for, as if the site had told
    expect(await f.map.plan(inputs)).toMatchObject({ submissions: 3 })
    expect(await f.map(inputs)).toEqual(inputs.map((n) => [n, 1 + (n % 3)]))
  })

  it('on jobs are waited for: of parts and of single calls, whether told or learned', async () => {
    const options = place('4s')
    const held = cluster({ ...options, native: ['-h'] }, () => 1)()
    held.catch(() => {})
    await expect.poll(() => held.nativeId, { timeout: 30_000 }).toBeDefined()
    await set({ max_u_jobs: 1 })
    const f = cluster({ ...options, chunk: 1 }, (n: number) => n * 2)
    const call = f(21)
    const map = f.map([1, 2])
    for (const job of [call, (await map.job(0)).job])
      await expect
        .poll(() => job.status(), { timeout: 30_000 })
        .toMatchObject({ state: 'QUEUED', message: expect.stringMatching(/allowed per user.*once some of/s) })
    await held.cancel()
    expect(await Promise.all([call, map])).toEqual([42, [2, 4]])
  })
})
