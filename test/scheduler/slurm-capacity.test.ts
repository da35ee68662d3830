import { expect, it } from 'vitest'
import { parseCapacity, parseVersion } from '../../src/scheduler/slurm-capacity.ts'

const answer = (stdout: string, exitCode = 0, stderr = '') => ({
  exitCode,
  stderr,
  stdout: Buffer.from(stdout),
})

it('reads the version, whichever package it is of', () => {
  expect(parseVersion(answer('slurm-wlm 22.05.8\n'))).toBe('22.05.8')
  expect(parseVersion(answer('Welcome!\nslurm 24.05.1\n'))).toBe('24.05.1')
  expect(parseVersion(answer('', 127))).toBeUndefined()
})

it('reads partitions, and passes over what is no line of sinfo', () => {
  // sinfo of Slurm 22.05.8, and a banner
  const text =
    'Maintenance on Monday\nshort*|up|1-00:00:00|1/2/1/4|\nlong|drain|infinite|0/4/0/4|\ntest|up|30:00|0/1/0/1|\n'
  expect(parseCapacity(answer(text))).toEqual([
    {
      name: 'short',
      isDefault: true,
      up: true,
      timeLimitSeconds: 86_400,
      nodes: { total: 4, idle: 2, allocated: 1, other: 1 },
    },
    { name: 'long', isDefault: false, up: false, nodes: { total: 4, idle: 4, allocated: 0, other: 0 } },
    {
      name: 'test',
      isDefault: false,
      up: true,
      timeLimitSeconds: 1_800,
      nodes: { total: 1, idle: 1, allocated: 0, other: 0 },
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
