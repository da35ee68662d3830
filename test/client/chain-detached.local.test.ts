import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { attach, close, cluster, configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-chain-detached-'))

beforeAll(() => {
  const place = (name: string) => ({ scheduler: 'direct', workdir: join(folder, name) })
  configure({ profiles: { one: place('one'), other: place('other') }, defaultProfile: 'one' })
})
afterEach(close)
afterAll(() => removeFolder(folder))

const slowly = async (n: number) => {
  await new Promise((resolve) => setTimeout(resolve, 1000))
  return n
}

describe('a job that is let go', () => {
  it.each([
    ['at another place', { profile: 'one' }, { profile: 'other' }],
    ['at the same place', { profile: 'one' }, { profile: 'one' }],
  ])('gives its value to a call %s, and is there for whoever attaches', async (_, from, to) => {
    const job = cluster(from, slowly)(20)
    const next = cluster(to, (n: number) => n + 1)(job)
    await job.detach()
    expect(await next).toBe(21)
    const { id } = job
    await close()
    expect(await attach<number>(id)).toBe(20)
  })

  it('of a map that is let go gives its values too', async () => {
    const array = cluster({ profile: 'one' }, slowly).map([1, 2, 3], { chunk: 1 })
    const sum = cluster({ profile: 'other' }, (all: number[]) => all.reduce((a, b) => a + b))(array)
    await array.detach()
    expect(await sum).toBe(6)
    const { id } = array
    await close()
    expect(await attach<number[]>(id)).toEqual([1, 2, 3])
  })

  it('after its end is there all the same', async () => {
    const job = cluster({ profile: 'one' }, (n: number) => n)(5)
    for await (const { state } of job.updates()) if (state === 'COMPLETED') break
    await job.detach()
    const { id } = job
    await close()
    expect(await attach<number>(id)).toBe(5)
  })

  it('is followed no longer than its value is needed', async () => {
    const job = cluster({ profile: 'one' }, async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms))
      return ms
    })(600_000)
    const next = cluster({ profile: 'other' }, (n: number) => n)(job)
    next.catch(() => {})
    await job.detach()
    const states: string[] = []
    const watching = (async () => {
      for await (const { state } of next.updates()) states.push(state)
    })()
    await next.cancel()
    await watching
    expect(states.at(-1)).toBe('CANCELED')
    await expect(next).rejects.toMatchObject({ name: 'JobCanceledError' })
    await close()
    const again = attach(job.id)
    again.catch(() => {})
    await again.cancel()
    await expect(again).rejects.toMatchObject({ name: 'JobCanceledError' })
  })
})
