import { expect, it } from 'vitest'
import { direct } from '../../src/scheduler/direct.ts'
import { slurm } from '../../src/scheduler/slurm.ts'

const answer = (stdout: string, exitCode = 0, stderr = '') => ({
  exitCode,
  stderr,
  stdout: Buffer.from(stdout),
})
const boot = '1cc6267e-a273-49a0-a461-761a754a4723'

it('Slurm tells the node of a job, and its address where it has one', () => {
  const { parseWhere, where, beside } = slurm.attach!
  expect(parseWhere(answer('17|n1|10.0.0.1\n'))).toEqual({ nativeId: '17', node: 'n1', address: '10.0.0.1' })
  expect(parseWhere(answer('17|n1|\n'))).toMatchObject({ address: 'n1' })
  expect(parseWhere(answer(''))).toBeUndefined()
  expect(() => parseWhere(answer('', 1, 'Unable to contact slurm controller'))).toThrow(/Unable to contact/)
  expect(where('17;other', 3).argv.slice(-2)).toEqual(['17_3', 'other'])
  expect(where('17').argv.slice(-2)).toEqual(['17', ''])
  const running = { nativeId: '18', node: 'n1', address: 'n1' }
  expect(beside!(running, ['ls', 'a b'], true).slice(-5)).toEqual(['18', 'n1', '--pty', 'ls', 'a b'])
})

it('direct tells a job that runs here, and one that runs on another machine', () => {
  const { parseWhere, beside } = direct.attach!
  expect(parseWhere(answer(`vm:${boot}:12:34 alive vm\n`))).toEqual({
    nativeId: `vm:${boot}:12:34`,
    node: 'vm',
    address: '127.0.0.1',
  })
  expect(parseWhere(answer(`login2:${boot}:12:34 away login1\n`))).toMatchObject({
    node: 'login2',
    away: { here: 'login1' },
  })
  expect(parseWhere(answer(`vm:${boot}:12:34 gone vm\n`))).toBeUndefined()
  expect(beside).toBeUndefined()
})
