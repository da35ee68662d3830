import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { run } from '../clusters/processes.ts'
import { comes, makeGate } from './gate.ts'

const { sshd, sge } = inject('sge')
const { host, port, user, identityFile, knownHosts } = sshd
const asAdmin = async (...argv: string[]) =>
  (await run(argv[0]!, argv.slice(1), { env: { ...sge.env }, cwd: '/' })).stdout

const later = cluster({ time: '5m' }, async (file: string, value: number) => {
  if (value > 6) throw new RangeError(`${value} is out of range`)
  await comes(file)
  return value
})
const double = cluster({ time: '5m' }, (n: number) => 2 * n)
const total = cluster({ time: '5m' }, (values: readonly number[]) => values.reduce((sum, n) => sum + n, 0))

beforeAll(() => {
  const place = { scheduler: 'sge', host, port, user, identityFile, knownHosts } as const
  configure({ profiles: { sge: { ...place, queryInterval: '2s', grace: '20s' } }, defaultProfile: 'sge' })
})
afterAll(close)

describe('a job as an argument, on Grid Engine', () => {
  it('is submitted at once, held for it, and gets its value', async () => {
    const gate = makeGate()
    const parent = later(gate.file, 5)
    const child = double(parent)
    await expect.poll(() => child.nativeId, { timeout: 30_000 }).toBeDefined()
    expect(await asAdmin('qstat', '-j', child.nativeId!)).toMatch(
      new RegExp(`jid_predecessor_list.*:\\s*${parent.nativeId}`),
    )
    gate.open()
    expect(await child).toBe(10)
    expect(await total(double.map(double.map([1, 2])))).toBe(12)
  })

  it('that fails fails what needs it', async () => {
    await expect(double(later('', 7))).rejects.toMatchObject({
      code: 'PARENT_FAILED',
      cause: { message: '7 is out of range' },
    })
  })
})
