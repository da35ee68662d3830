import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isRunning, type Job, makeJob, nodeProgram, shells, temporaryFolder, until } from './helpers.ts'

const environment = { node: nodeProgram, secrets: ['TOKEN'] }
const listed = (n: number) => Array.from({ length: n }, (_, index) => [index])

const left = (folder: string) => readdirSync(folder).filter((name) => name.startsWith('secrets'))

/** As a submission leaves it. */
function putSecrets(job: Job, attempt = 1): string {
  const folder = join(job.folder, `submit.${attempt}`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'secrets'), `export TOKEN='it'\\''s $(a) "secret"'\n`, { mode: 0o600 })
  return folder
}

describe.each(shells.map((shell) => ({ shell, called: shell.join(' ') })))('under $called', ({ shell }) => {
  it.each([1, 2, 3, 5, 8, 13])(
    'the last of %i members removes the file, and nothing else stays',
    async (members) => {
      const job = makeJob({
        shell,
        args: listed(members),
        chunk: 1,
        body: 'if (args[0] === 1) throw new Error("one"); return process.env.TOKEN',
        script: { environment, concurrency: 3 },
      })
      const folder = putSecrets(job)
      await job.run()
      for (let k = 0; k < members; k++) if (k !== 1) expect(job.member(k).value(k)).toBe(`it's $(a) "secret"`)
      expect(left(folder)).toEqual([])
    },
  )

  it('of an attempt for some members, the last of these', async () => {
    const only = [2, 3, 7]
    const job = makeJob({
      shell,
      args: listed(9),
      chunk: 1,
      body: 'return process.env.TOKEN',
      spec: { attempt: 1001, only },
      script: { environment, attempt: 1001, only },
    })
    writeFileSync(join(job.folder, 'spec.1001.json'), readSpec(job))
    const folder = putSecrets(job, 1001)
    await job.run()
    for (const k of only) expect(job.member(k, 1001).end?.reason).toBeUndefined()
    expect(left(folder)).toEqual([])
  })
})

it('a member that runs keeps the file for itself and for those that wait', async () => {
  const gate = join(temporaryFolder(), 'gate')
  const job = makeJob({
    args: listed(2),
    chunk: 1,
    body: `const { existsSync } = await import('node:fs')
      while (args[0] === 1 && !existsSync('${gate}')) await new Promise((resolve) => setTimeout(resolve, 20))
      return process.env.TOKEN`,
    script: { environment, concurrency: 2 },
  })
  const folder = putSecrets(job)
  const run = job.run()
  await until(() => job.member(0).end, 'the first end')
  expect(job.member(1).end).toBeUndefined()
  expect(existsSync(join(folder, 'secrets'))).toBe(true)
  writeFileSync(gate, '')
  await run
  expect(left(folder)).toEqual([])
})

describe('where the scheduler may start it again', () => {
  const script = {
    environment,
    restarts: true,
    restartCount: '${RESTARTS:-0}',
  }
  const waits =
    'if (!process.env.RESTARTS) await new Promise((resolve) => setTimeout(resolve, 600000)); return process.env.TOKEN'

  it('what a signal has ended leaves the file for the next run, which removes it', async () => {
    const job = makeJob({ template: 'slurm.sh.liquid', body: waits, script })
    const folder = putSecrets(job)
    const child = job.start()
    await until(() => existsSync(join(job.folder, 'run.1.0/out.pack')), 'the first run')
    process.kill(-child.pid!, 'SIGTERM')
    await until(() => job.member(0).end, 'the end of it')
    await until(() => !isRunning(child.pid!), 'the script to end')
    expect(job.member(0).end?.reason).toBe('signal')
    expect(left(folder)).toEqual(['secrets'])
    await job.run({ RESTARTS: '1' })
    expect(job.member(0, 2).value(0)).toBe(`it's $(a) "secret"`)
    expect(left(folder)).toEqual([])
  })

  it('one that was done needs no secrets when it is started again; one that was not says so', async () => {
    const job = makeJob({ template: 'slurm.sh.liquid', body: 'return process.env.TOKEN', script })
    const folder = putSecrets(job)
    await job.run()
    expect(left(folder)).toEqual([])
    await job.run({ RESTARTS: '1' })
    expect(job.member(0, 2).end?.reason).toBeUndefined()
    expect(job.member(0, 2).value(0)).toBe(`it's $(a) "secret"`)

    const lost = makeJob({ template: 'slurm.sh.liquid', body: 'return 1', script })
    await lost.run({ RESTARTS: '1' })
    expect(lost.member(0, 2).end).toMatchObject({
      reason: 'launch-failed',
      message: expect.stringMatching(/^the file with the secrets of the job is not there on /),
    })
  })
})

it('a setup that fails is over, too', async () => {
  const job = makeJob({ script: { environment: { ...environment, setup: ['exit 3'] } } })
  const folder = putSecrets(job)
  await job.run()
  expect(job.member(0).end?.reason).toBe('launch-failed')
  const other = makeJob({ script: { environment: { ...environment, cwd: '/no/such' } } })
  const otherFolder = putSecrets(other)
  await other.run()
  expect([left(folder), left(otherFolder)]).toEqual([[], []])
})

function readSpec(job: Job): string {
  return readFileSync(join(job.folder, 'spec.json'), 'utf8')
}
