import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { wrapTransports } from '../../src/executor/open.ts'
import { close, cluster, configure, JobArray } from '../../src/index.ts'
import { isAlive, until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { jobFile, jobProcesses, left } from './left.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-cancel-'))
const workdir = `${folder}/work`

beforeAll(() => {
  const here = { scheduler: 'direct', workdir, queryInterval: '1s' } as const
  configure({ profiles: { here }, defaultProfile: 'here' })
})
afterEach(async () => {
  await close()
  expect(await until(() => jobProcesses(workdir).length === 0, 10_000), 'no process is left').toBe(true)
})
afterAll(() => removeFolder(folder))

/** Waits, with a child and a grandchild in a process group of its own; says in a file who they are. */
const family = cluster(async (file: string, ms: number) => {
  const { spawn } = await import('node:child_process')
  const { writeFileSync, renameSync } = await import('node:fs')
  const child = spawn('sh', ['-c', 'sleep 600 & echo $!; wait'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const grandchild = await new Promise<string>((resolve) =>
    child.stdout.once('data', (text) => resolve(String(text))),
  )
  writeFileSync(`${file}.part`, JSON.stringify([process.pid, child.pid, Number(grandchild)]))
  renameSync(`${file}.part`, file)
  await new Promise((resolve) => setTimeout(resolve, ms))
  process.kill(-child.pid!)
  return ms
})

async function processesIn(file: string): Promise<number[]> {
  const read = () => {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as number[]
    } catch {
      return undefined // not there yet
    }
  }
  expect(await until(() => read() !== undefined, 20_000), `${file} was written`).toBe(true)
  return read()!
}
const gone = (pids: readonly number[]) => until(() => !pids.some(isAlive), 10_000)

describe('one of several calls that travelled together', () => {
  it('ends alone, with all that it started, while the others go on', async () => {
    const files = [0, 1, 2].map((n) => join(folder, `family-${n}`))
    const three = family.with({ concurrency: 3 })
    const jobs = files.map((file) => three(file, 600_000))
    for (const job of jobs) job.catch(() => {})
    const running = await Promise.all(files.map(processesIn))
    await jobs[1]!.cancel('enough')
    await expect(jobs[1]).rejects.toMatchObject({ name: 'JobCanceledError', cause: 'enough' })
    expect(await gone(running[1]!)).toBe(true)
    expect(running[0]!.every(isAlive) && running[2]!.every(isAlive)).toBe(true)
    expect(new Set(jobs.map((job) => job.nativeId)).size).toBe(1)

    // What lies there says so, to whoever else waits for it.
    const id = jobs[1]!.id.replace(/\[.*/, '')
    expect(JSON.parse(jobFile(workdir, id, 'run.1.1/end'))).toMatchObject({ reason: 'by-user' })

    await jobs[0]!.cancel()
    expect(await gone(running[0]!)).toBe(true)
    expect(running[2]!.every(isAlive)).toBe(true)
    await jobs[2]!.cancel()
    expect(await gone(running[2]!)).toBe(true)
    await Promise.allSettled(jobs)
  })

  it('that has not begun never does', async () => {
    const one = family.with({ concurrency: 1, cores: 1 })
    const files = [0, 1, 2].map((n) => join(folder, `later-${n}`))
    const array = one.starmap(
      files.map((file, n) => [file, n === 2 ? 1 : 600_000] as const),
      { chunk: 1 },
    )
    array.catch(() => {})
    const first = await processesIn(files[0]!)
    const [{ job: zero }, { job: middle }] = [await array.job(0), await array.job(1)]
    await middle.cancel()
    await expect(middle).rejects.toMatchObject({ name: 'JobCanceledError' })
    expect(first.every(isAlive)).toBe(true)
    await zero.cancel()
    expect((await array.settled()).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled'])
    expect(() => readFileSync(files[1]!)).toThrow(/ENOENT/)
  })

  it('that is still in its setup lines does not begin', async () => {
    const setup = [`: >'${folder}/setting-up'`, `until [ -e '${folder}/go' ]; do sleep 0.05; done`]
    const files = [0, 1].map((n) => join(folder, `setup-${n}`))
    const two = family.with({ environment: { setup }, concurrency: 2 })
    const jobs = files.map((file) => two(file, 1))
    jobs[1]!.catch(() => {})
    const settingUp = () => {
      try {
        return readFileSync(join(folder, 'setting-up')) && true
      } catch {
        return false
      }
    }
    expect(await until(settingUp, 20_000)).toBe(true)
    await jobs[1]!.cancel()
    const { writeFileSync } = await import('node:fs')
    writeFileSync(join(folder, 'go'), '')
    expect(await jobs[0]).toBe(1)
    await expect(jobs[1]).rejects.toMatchObject({ name: 'JobCanceledError' })
    expect(() => readFileSync(files[1]!)).toThrow(/ENOENT/)
  })
})

describe('what was canceled', () => {
  it('may have ended before the cancel is answered: its promise is rejected to nobody until then', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    let ended = Promise.resolve()
    wrapTransports((inner) => {
      const exec: typeof inner.exec = async (command, options) => {
        const result = await inner.exec(command, options)
        if (command.argv[2]?.includes('kill -TERM')) await ended
        return result
      }
      return new Proxy(inner, { get: (of, key) => (key === 'exec' ? exec : Reflect.get(of, key)) })
    })
    try {
      const nap = cluster((ms: number) => new Promise((resolve) => setTimeout(resolve, ms)))
      for (const start of [() => nap(600_000), () => nap.map([600_000, 600_000])]) {
        const job = start()
        const one = job instanceof JobArray ? (await job.job(0)).job : job
        for await (const { state } of one.updates()) if (state === 'ACTIVE') break
        ended = (async () => {
          for await (const _ of one.updates());
          await new Promise((resolve) => setTimeout(resolve, 100))
        })()
        await job.cancel()
        await expect(job).rejects.toMatchObject({ name: 'JobCanceledError' })
      }
      expect(unhandled).toEqual([])
    } finally {
      process.off('unhandledRejection', note)
      wrapTransports((transport) => transport)
    }
  })

  it('leaves no folder, whichever way it was canceled', async () => {
    const controller = new AbortController()
    const file = (name: string) => join(folder, name)
    const byCall = family.with({ name: 'call' })(file('call'), 600_000)
    const bySignal = family.with({ name: 'signal', signal: controller.signal })(file('signal'), 600_000)
    const array = family.with({ name: 'map' }).starmap([
      [file('map-0'), 600_000],
      [file('map-1'), 600_000],
    ])
    for (const job of [byCall, bySignal, array]) job.catch(() => {})
    const pids = (
      await Promise.all(['call', 'signal', 'map-0'].map((name) => processesIn(file(name))))
    ).flat()
    const scope = family.with({ name: 'scope' })(file('scope'), 600_000)
    {
      await using scoped = scope
      pids.push(...(await processesIn(file('scope'))))
      await expect.poll(() => scoped.status().state, { timeout: 20_000 }).toBe('ACTIVE')
    }
    await byCall.cancel()
    controller.abort()
    await array.cancel()
    for (const job of [byCall, bySignal, array, scope])
      await expect(job).rejects.toMatchObject({ name: 'JobCanceledError' })
    await close()
    expect(await gone(pids)).toBe(true)
    expect(left(workdir)).toEqual([])
  })
})
