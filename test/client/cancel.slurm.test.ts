import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { isAlive, run } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { runProgram } from './helpers.ts'

const { slurm } = inject('slurms').plain
const folder = mkdtempSync(join(tmpdir(), 'farcall-scancel-'))
const calls = join(folder, 'calls')
/** While it is there, scancel takes its time. */
const slow = join(folder, 'slow')
const before = { ...process.env }

/** On this machine, without ssh, with a scancel before the real one that counts. */
beforeAll(() => {
  mkdirSync(join(folder, 'bin'))
  const scancel = join(folder, 'bin', 'scancel')
  const path = slurm.env['PATH']
  const wait = `while [ -e '${slow}' ]; do sleep 0.1; done`
  writeFileSync(scancel, `#!/bin/sh\necho "$*" >>'${calls}'\n${wait}\nPATH='${path}' exec scancel "$@"\n`)
  chmodSync(scancel, 0o755)
  Object.assign(process.env, slurm.env, { PATH: `${folder}/bin:${path}` })
  const here = { scheduler: 'slurm', workdir: `${folder}/work`, queryInterval: '2s', grace: '20s' } as const
  configure({ profiles: { here }, defaultProfile: 'here' })
})
afterAll(async () => {
  await close()
  for (const name of Object.keys(slurm.env)) delete process.env[name]
  Object.assign(process.env, before)
  removeFolder(folder)
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

const inQueue = async (ids: readonly string[]) =>
  (await run('squeue', ['-h', '-t', 'PD,R', '-o', '%i', '-j', ids.join(',')], { env: { ...slurm.env } }))
    .stdout

describe('Ctrl-C in a program whose jobs run', () => {
  const env = { FARCALL_SCHEDULER: 'slurm', FARCALL_WORKDIR: `${folder}/work`, FARCALL_QUERY_INTERVAL: '2s' }
  async function running() {
    const program = runProgram('lifecycle.ts', ['several'], env)
    onTestFinished(() => {
      if (isAlive(program.pid)) process.kill(program.pid, 'SIGKILL')
    })
    const line = await program.line()
    expect(line, program.stderr()).toBeDefined()
    rmSync(calls, { force: true })
    return { program, ids: [...new Set(JSON.parse(line!) as string[])] }
  }
  const called = () => (existsSync(calls) ? readFileSync(calls, 'utf8').trim().split('\n') : [])

  it('ends them all with one scancel: the queue is empty, the exit code 130', async () => {
    const { program, ids } = await running()
    program.signal('SIGINT')
    expect(await program.ended).toMatchObject({ code: 130 })
    expect(program.stderr()).toMatch(/^farcall: canceling \d job\(s\), .*; once more to leave them\n$/)
    expect(called()).toHaveLength(1)
    expect(await inQueue(ids)).toBe('')
  })

  it('once more leaves at once, though scancel has not come back', async () => {
    const { program, ids } = await running()
    writeFileSync(slow, '')
    program.signal('SIGINT')
    await expect.poll(called, { timeout: 20_000 }).toHaveLength(1)
    program.signal('SIGINT')
    expect(await program.ended).toMatchObject({ code: 130 })
    // Nothing had reached Slurm by then.
    expect((await inQueue(ids)).trim()).not.toBe('')
    rmSync(slow)
    await run('scancel', ids, { env: { ...slurm.env } })
    await expect.poll(() => inQueue(ids), { timeout: 20_000 }).toBe('')
  })
})
