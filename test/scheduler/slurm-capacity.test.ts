import { expect, it } from 'vitest'
import { parseCapacity, parseVersion } from '../../src/scheduler/slurm-capacity.ts'

const answer = (stdout: string, exitCode = 0, stderr = '') => ({
  exitCode,
  stderr,
  stdout: Buffer.from(stdout),
})

const mebi = 2 ** 20
const none = { total: 0, idle: 0, allocated: 0, down: 0, drained: 0, other: 0 }
const gpus = { total: 0, used: 0, free: 0, kinds: {} }

it('reads the version, whichever package it is of', () => {
  expect(parseVersion(answer('slurm-wlm 22.05.8\n'))).toBe('22.05.8')
  expect(parseVersion(answer('Welcome!\nslurm 24.05.1\n'))).toBe('24.05.1')
  expect(parseVersion(answer('', 127))).toBeUndefined()
})

it('reads partitions, and passes over what is no line of sinfo', () => {
  // sinfo of Slurm 22.05.8, and a banner
  const text = `Maintenance on Monday
short*|up|1-00:00:00|1/2/1/4|
long|drain|infinite|0/4/0/4|
test|up|30:00|0/1/0/1|
== nodes
short*|n1|mixed|1/3/0/4|4000|500|(null)|gpu:0|
short*|n2|idle|0/4/0/4|4000|0|(null)|gpu:0|
test|n2|idle|0/4/0/4|4000|0|(null)|gpu:0|
`
  expect(parseCapacity(answer(text))).toEqual([
    {
      name: 'short',
      isDefault: true,
      up: true,
      timeLimitSeconds: 86_400,
      nodes: { ...none, total: 2, idle: 1, allocated: 1 },
      cores: { total: 8, used: 1, free: 7 },
      memory: { total: 8000 * mebi, used: 500 * mebi, free: 7500 * mebi },
      gpus,
    },
    { name: 'long', isDefault: false, up: false, nodes: none },
    {
      name: 'test',
      isDefault: false,
      up: true,
      timeLimitSeconds: 1_800,
      nodes: { ...none, total: 1, idle: 1 },
      cores: { total: 4, used: 0, free: 4 },
      memory: { total: 4000 * mebi, used: 0, free: 4000 * mebi },
      gpus,
    },
  ])
})

it('takes a controller that does not answer for no answer', () => {
  const silent = answer(
    '',
    1,
    'slurm_load_partitions: Unable to contact slurm controller (connect failure)\n',
  )
  expect(() => parseCapacity(silent)).toThrow(/Unable to contact/)
})
