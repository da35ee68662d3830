import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { explainWaiting } from '../../src/scheduler/slurm-reasons.ts'

/** All that Slurm 22.05 can say, from its library's strings. */
const words = readFileSync(new URL('../fixtures/scheduler/slurm/reasons.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n')
const inWords = (reason: string, asked = {}) => explainWaiting(reason, asked)?.words

describe('why a job waits', () => {
  test('every reason of Slurm is told in a sentence', () => {
    const untold = words.filter((word) => word !== 'None' && inWords(word) === undefined)
    expect(untold).toEqual([])
    expect(words.length).toBeGreaterThan(190)
  })

  test.each([
    ['Resources', 'waiting for 8 cores and 16 GB to become free'],
    ['Dependency', 'waiting for the jobs that it depends on (afterok:1) to end as asked'],
    [
      'AssocGrpCpuLimit',
      'your account allows no more cores at once; it waits for other jobs to end; if it asks for more than that by itself, cancel it, and lower resources.cores',
    ],
    [
      'AssocGrpCPUMinutesLimit',
      'your account has used up its cores × minutes; it waits until they are renewed',
    ],
    [
      'AssocGrpGRESRunMinutes',
      'your account allows no more GPUs or other generic resources × minutes at once; it waits for other jobs to end; if it asks for more than that by itself, cancel it, and lower resources.gpus',
    ],
    ['AssocMaxJobsLimit', 'your account allows no more running jobs at once; it waits for other jobs to end'],
    [
      'QOSMaxMemoryPerJob',
      'it asks for more memory than its QOS allows one job; unless that is raised it will not start: cancel it, and lower resources.memory',
    ],
    [
      'QOSMaxJobsPerUserLimit',
      'its QOS allows one user no more running jobs; it waits for other jobs to end',
    ],
    [
      'AssocMaxWallDurationPerJobLimit',
      'it asks for more wall clock time than your account allows one job; unless that is raised it will not start: cancel it, and lower resources.time',
    ],
    [
      'QOSMinGRES',
      'it asks for fewer GPUs or other generic resources than its QOS wants at least; cancel it, and raise resources.gpus',
    ],
    ['MaxJobsPerAccount', 'its QOS allows one account no more running jobs; it waits for other jobs to end'],
    [
      'PartitionTimeLimit',
      'its time of 1:00:00 is over the limit of its partition; unless that is raised it will not start: cancel it, and lower resources.time',
    ],
  ])('%s: %s', (reason, told) => {
    const asked = { cores: 8, memoryBytes: 16 * 2 ** 30, timeSeconds: 3600, dependency: 'afterok:1' }
    expect(inWords(reason, asked)).toBe(told)
  })

  test.each([
    [{}, 'what it asks for'],
    [{ cores: 1 }, '1 core'],
    [{ gpus: { count: 2 }, cores: 4, memoryBytes: 300 * 2 ** 20 }, '4 cores, 300 MB and 2 GPUs'],
    [{ nodes: 2, cores: 4 }, '2 nodes with 4 cores'],
    [{ nodes: 1, exclusive: true }, '1 whole node'],
    [{ exclusive: true }, 'a whole node'],
  ])('what is waited for is what was asked: %s', (asked, told) => {
    expect(inWords('Resources', asked)).toBe(`waiting for ${told} to become free`)
  })

  test('is understood with what Slurm writes around it', () => {
    expect(inWords('ReqNodeNotAvail, UnavailableNodes:n[1-2]')).toBe(inWords('ReqNodeNotAvail'))
    expect(inWords('(Resources)')).toBe(inWords('Resources'))
    expect(inWords('launch failed requeued held')).toMatch(/could not start/)
    expect(
      inWords('Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions'),
    ).toBe(inWords('ReqNodeNotAvail'))
  })

  test('what nobody knows stays as it is', () => {
    for (const reason of ['', 'None', 'SomethingNew', 'GrpCpuLimit', 'constructor', '__proto__', '|'])
      expect(explainWaiting(reason, {})).toBeUndefined()
  })

  test('one alone is for ever', () => {
    expect(words.filter((word) => explainWaiting(word, {})?.never)).toEqual(['DependencyNeverSatisfied'])
  })
})
