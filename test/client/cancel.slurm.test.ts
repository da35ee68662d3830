import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { run } from '../clusters/processes.ts'

const { slurm } = inject('slurms').plain
const folder = mkdtempSync(join(tmpdir(), 'farcall-scancel-'))
const calls = join(folder, 'calls')
const before = { ...process.env }

/** On this machine, without ssh, with a scancel before the real one that counts. */
beforeAll(() => {
  mkdirSync(join(folder, 'bin'))
  const scancel = join(folder, 'bin', 'scancel')
  const path = slurm.env['PATH']
  writeFileSync(scancel, `#!/bin/sh\necho "$*" >>'${calls}'\nPATH='${path}' exec scancel "$@"\n`)
  chmodSync(scancel, 0o755)
  Object.assign(process.env, slurm.env, { PATH: `${folder}/bin:${path}` })
  const here = { scheduler: 'slurm', workdir: `${folder}/work`, queryInterval: '2s', grace: '20s' } as const
  configure({ profiles: { here }, defaultProfile: 'here' })
})
afterAll(async () => {
  await close()
  for (const name of Object.keys(slurm.env)) delete process.env[name]
  Object.assign(process.env, before)
  rmSync(folder, { recursive: true, force: true })
})

it('a hundred cancels in one turn, of calls made together and apart, are one scancel; the queue is empty after', async () => {
  const wait = cluster({ memory: '20MB' }, () => new Promise((resolve) => setTimeout(resolve, 600_000)))
  const held = wait.with({ native: ['--hold'] })
  const others = [1, 2, 3, 4].map((n) => wait.with({ name: `apart-${n}`, native: ['--hold'] })())
  const jobs = [...Array.from({ length: 96 }, () => held()), ...others]
  for (const job of jobs) job.catch(() => {})
  await expect.poll(() => jobs.every((job) => job.nativeId !== undefined), { timeout: 60_000 }).toBe(true)
  await Promise.all(jobs.map((job) => job.cancel()))
  for (const job of jobs) await expect(job).rejects.toMatchObject({ name: 'JobCanceledError' })
  expect(existsSync(calls) && readFileSync(calls, 'utf8').trim().split('\n').length).toBe(1)
  expect(readFileSync(calls, 'utf8').match(/\d+/g)).toHaveLength(5)
  const ids = [...new Set(jobs.map(({ nativeId }) => nativeId))].join(',')
  const queue = await run('squeue', ['-h', '-t', 'PD,R', '-j', ids], { env: { ...slurm.env } })
  expect(queue.stdout).toBe('')
})
