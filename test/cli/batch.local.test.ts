import { spawn } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readResults } from '../../src/cli/batch/resume.ts'
import { writeAsTheyEnd } from '../../src/cli/batch/write-as-they-end.ts'
import { cluster, openResult } from '../../src/index.ts'
import { root } from '../client/helpers.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-batch-'))
process.env['FARCALL_WORKDIR'] = join(folder, 'work')
const env = { ...process.env, XDG_CONFIG_HOME: folder, XDG_STATE_HOME: folder, XDG_DATA_HOME: folder }
const program = `${root}test/fixtures/programs/batch.ts`
const path = (name: string) => join(folder, name)
const read = (name: string) => readFileSync(path(name), 'utf8')
const jsonl = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('')

beforeAll(() => {
  mkdirSync(path('farcall'))
  const here = { scheduler: 'direct', workdir: path('work') }
  writeFileSync(path('farcall/config.json'), JSON.stringify({ defaultProfile: 'here', profiles: { here } }))
})
afterAll(() => removeFolder(folder))

function farcall(args: readonly string[], stdin = '') {
  const child = spawn(process.execPath, [`${root}dist/cli/main.js`, ...args], { env, cwd: folder })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text
    })
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  child.stdin.end(stdin)
  return { child, said, ended }
}
async function batch(args: readonly string[], stdin?: string) {
  const { said, ended } = farcall(['batch', program, ...args], stdin)
  return { code: await ended, ...said }
}

it('killed in the middle, it goes on: each result is there once, and what was done does not run again', async () => {
  const odd = new Set([7, 12])
  const numbers = Array.from({ length: 20 }, (_, at) => 2 * at + (odd.has(at) ? 1 : 0))
  const item = (n: number) => ({ n, trace: path('trace'), gate: path('gate') })
  writeFileSync(path('items.jsonl'), jsonl(numbers.map(item)))
  const args = ['--function', 'half', '--items', 'items.jsonl', '--output', 'results.jsonl']
  const more = ['--concurrency', '2', '--chunk', '2', '--retry', '{"retries":2,"backoff":"exp"}']
  const lines = () => readResults(read('results.jsonl'), 'results.jsonl')

  const { child, ended } = farcall(['batch', program, ...args, ...more])
  await expect.poll(() => lines().length, { timeout: 60_000, interval: 20 }).toBeGreaterThanOrEqual(4)
  child.kill('SIGKILL')
  expect(await ended).toBe(null)
  const first = lines()
  expect(first.length).toBeLessThan(20)
  const done = first.filter(({ error }) => !error).map(({ index }) => index)
  writeFileSync(path('gate'), '')
  appendFileSync(path('results.jsonl'), '{"index":19,"key":"to')

  const second = await batch([...args, ...more])
  expect(second).toMatchObject({ code: 1, stdout: '' })
  expect(second.stderr).toContain(`${done.length} of 20 items are done`)
  expect(second.stderr).toContain(`2 of ${20 - done.length} items failed; the same command runs them again`)
  const all = lines().sort((a, b) => a.index - b.index)
  expect(all).toMatchObject(
    numbers.map((n, index) =>
      odd.has(index)
        ? { index, error: { name: 'RangeError', message: `odd: ${n}` } }
        : { index, value: n / 2 },
    ),
  )
  const times = (n: number) =>
    read('trace')
      .split('\n')
      .filter((line) => line === String(n)).length
  expect(done.map((index) => times(numbers[index]!))).toEqual(done.map(() => 1))

  // What failed runs again, and nothing else.
  expect(await batch(args)).toMatchObject({ code: 1, stderr: expect.stringContaining(' runs 2 items\n') })
  expect(lines()).toHaveLength(20)

  // With other items in their place all is done.
  const mended = numbers.map((n) => n & ~1)
  writeFileSync(path('items.jsonl'), jsonl([100, ...mended].map(item)))
  expect(await batch(args)).toMatchObject({ code: 0 })
  const values = lines().sort((a, b) => a.index - b.index)
  expect(values.map(({ index, value }) => [index, value])).toEqual(
    [100, ...mended].map((n, index) => [index, n / 2]),
  )
  expect(await batch(args)).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('nothing is left to run'),
  })
})

it('results of items that are gone are not dropped unless --force says so', async () => {
  const args = ['--function', 'nothing', '--items', 'names.csv', '--output', 'names.jsonl']
  writeFileSync(path('names.csv'), 'name\n"a, b"\nc\n')
  expect(await batch([...args, '--with-item'])).toMatchObject({ code: 0 })
  const kept = read('names.jsonl')
  // A function that gives nothing is done.
  expect(readResults(kept, 'names.jsonl').map(({ key, ...rest }) => rest)).toEqual(
    expect.arrayContaining([
      { index: 0, item: { name: 'a, b' } },
      { index: 1, item: { name: 'c' } },
    ]),
  )
  writeFileSync(path('names.csv'), 'name\nc\n')
  expect(await batch(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('with --force') })
  expect(read('names.jsonl')).toBe(kept)
  expect(await batch([...args, '--force'])).toMatchObject({ code: 0 })
  expect(readResults(read('names.jsonl'), 'names.jsonl')).toMatchObject([{ index: 0, item: { name: 'c' } }])
})

it('what JSON cannot say is an error of its item, and the way out works', async () => {
  const { code, stdout } = await batch(['--function', 'map', '--items', '-', '--quiet'], '1\n2\n')
  expect(code).toBe(1)
  const [, { error }] = readResults(stdout, 'stdout').sort((a, b) => a.index - b.index) as [
    unknown,
    { error: { message: string } },
  ]
  expect(error.message).toContain('the value is a Map, which is not JSON')
  const [, name] = /farcall result '(f\w{13}\[1\])' --encoded --output FILE/.exec(error.message)!
  const { ended } = farcall(['result', name!, '--encoded', '--output', 'value'])
  expect(await ended).toBe(0)
  expect(await openResult(path('value'))).toEqual(new Map([[2, 2]]))
})

it('a bad line, a file of something else and --dry-run send nothing', async () => {
  writeFileSync(path('bad.jsonl'), '1\n{"n":\n')
  const map = ['--function', 'map', '--items', 'bad.jsonl']
  expect(await batch(map)).toMatchObject({ code: 2, stderr: expect.stringContaining('bad.jsonl:2: ') })
  writeFileSync(path('bad.jsonl'), '1\n2\n')
  expect(await batch([...map, '--output', 'bad.jsonl'])).toMatchObject({ code: 2 })
  expect(read('bad.jsonl')).toBe('1\n2\n')
  const plan = await batch([...map, '--output', 'none.jsonl', '--dry-run'])
  expect(plan).toMatchObject({ code: 0, stdout: expect.stringMatching(/^2 items in 1 member\n/) })
  expect(() => read('none.jsonl')).toThrow('ENOENT')
  expect(await batch([...map, '--output', '/dev/full'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('it is no file to go on with'),
  })
})

it('where results cannot be written any more, the rest is canceled, and that is the error', async () => {
  const wait = cluster({ time: '10m' }, async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms))
    return ms
  })
  const jobs = wait.map([1, 600_000], { chunk: 1 })
  const full = new Error('no space left')
  const labels = (index: number) => ({ index, key: 'k' })
  const write = () => {
    throw full
  }
  await expect(writeAsTheyEnd(jobs, labels, write)).rejects.toBe(full)
  const [first, second] = await jobs.settled()
  expect(first).toEqual({ status: 'fulfilled', value: 1 })
  expect(second).toMatchObject({ status: 'rejected', reason: { code: 'JOB_CANCELED' } })
})
