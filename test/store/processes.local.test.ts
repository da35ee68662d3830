import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { thisProcess } from '../../src/store/owner.ts'
import type { JobStore } from '../../src/store/types.ts'
import { argsOf, newJob, opened, temporaryFolder } from './helpers.ts'

const worker = fileURLToPath(new URL('../fixtures/store/worker.mjs', import.meta.url))

interface Ended {
  readonly lines: readonly string[]
  readonly stderr: string
  readonly code: number | null
}

/** Runs a worker; killed by SIGKILL `killAfter` lines from its beginning. */
function work(
  folder: string,
  number: number,
  count: number,
  killAfter = Number.POSITIVE_INFINITY,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [worker, folder, String(number), String(count)])
    let [stdout, stderr, seen] = ['', '', 0]
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      seen += text.split('\n').length - 1
      if (seen >= killAfter) child.kill('SIGKILL')
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', reject)
    // A line that was begun when it was killed was told by a write that succeeded: none is ever cut.
    child.on('close', (code) => resolve({ lines: stdout.split('\n').slice(0, -1), stderr, code }))
  })
}

const told = (ended: readonly Ended[], what: string) =>
  ended.flatMap(({ lines }) =>
    lines.filter((line) => line.startsWith(`${what} `)).map((line) => line.slice(what.length + 1)),
  )

/** What a process was told is recorded is in the store, whole. */
function expectKept(store: JobStore, ended: readonly Ended[]): void {
  for (const id of told(ended, 'added')) {
    const job = store.get(id)
    expect(job?.spec.id).toBe(id)
    if (job!.hasPayload) {
      const { bundle } = store.payload(id)!
      expect([100, 150_000]).toContain(argsOf(store, id)![1]!.length)
      expect(bundle).toHaveLength(50_000)
    }
  }
  for (const id of told(ended, 'submitted'))
    expect(store.get(id)).toMatchObject({ nativeId: `native ${id}`, hasPayload: false })
  for (const id of told(ended, 'ended')) expect(store.get(id)!.status.state).toBe('COMPLETED')
}

test('eight processes at once: nothing is lost, each key is won once, and none is ever refused', async () => {
  const [processes, count] = [8, 150]
  const folder = join(temporaryFolder(), 'store')
  // The first of them makes the store, whichever that is.
  const ended = await Promise.all(
    Array.from({ length: processes }, (_, number) => work(folder, number, count)),
  )
  expect(ended.map(({ code, stderr }) => [code, stderr])).toEqual(ended.map(() => [0, '']))
  expect(told(ended, 'warning')).toEqual([])
  const { store } = opened(folder)
  expect(store.sizes()).toMatchObject({ jobs: processes * count, bundles: 3 })
  expectKept(store, ended)
  const won = told(ended, 'won')
  expect(new Set(won).size).toBe(count)
  // A key whose winner ended is free for others, who come later; of those that were never freed there is one winner.
  const odd = won.filter((key) => Number(key.split(' ')[1]) % 2 === 1)
  expect(odd).toHaveLength(count / 2)
})

test('processes killed in the middle of their writes leave a store that holds all that they had recorded', async () => {
  const folder = join(temporaryFolder(), 'store')
  const ended: Ended[] = []
  let seed = 7
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return seed % below
  }
  for (let round = 0; round < 8; round++) {
    const numbers = [0, 1, 2].map((k) => round * 3 + k)
    ended.push(...(await Promise.all(numbers.map((number) => work(folder, number, 10_000, 1 + random(120))))))
    const { store, warnings } = opened(folder)
    expectKept(store, ended)
    expect(warnings).toEqual([])
    store.add(newJob())
    store.close()
  }
  expect(ended.every(({ code }) => code === null)).toBe(true)
  expect(told(ended, 'added').length).toBeGreaterThan(200)
  const { store, folder: place } = opened(folder)
  // What the dead had claimed and not recorded is free; what they had recorded is not.
  const [claim] = store.claim('fnewaaaaaaaaaa', thisProcess(), [{ key: 'key 1', item: 0 }])
  expect(store.get(claim!.job) !== undefined || claim!.outcome === 'won').toBe(true)
  // Halves of files stay for a while, and go.
  store.trim({ now: Date.now() + 7_200_000, maxAgeMs: 86_400_000, maxBytes: Number.MAX_SAFE_INTEGER })
  expect(readdirSync(join(place, 'files')).filter((name) => name.endsWith('.part'))).toEqual([])
  expectKept(store, ended)
  expect(readdirSync(place).filter((name) => name.includes('damaged'))).toEqual([])
})
