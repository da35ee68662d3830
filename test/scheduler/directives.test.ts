import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FarcallError } from '../../src/core/errors.ts'
import { resolveResources } from '../../src/core/resolve-resources.ts'
import { type Resources, resourceNames } from '../../src/core/resources.ts'
import { findScheduler, schedulers } from '../../src/scheduler/all.ts'
import { direct } from '../../src/scheduler/direct.ts'
import { renderDirectives } from '../../src/scheduler/directives.ts'
import { slurm } from '../../src/scheduler/slurm.ts'

const wrong = (value: unknown) => value as Resources

describe('resolveResources', () => {
  test('reads units, and leaves out what is undefined', () => {
    const given = {
      memory: '16GB',
      time: '1-12:00:00',
      gpus: 'a100:2',
      cores: 8,
      qos: undefined,
      queue: 'short',
    }
    expect(resolveResources(wrong(given))).toEqual({
      memoryBytes: 16 * 1024 ** 3,
      timeSeconds: 129_600,
      gpus: { count: 2, type: 'a100' },
      cores: 8,
      partition: 'short',
    })
    expect(resolveResources({ gpus: 2 })).toEqual({ gpus: { count: 2 } })
    expect(resolveResources({ gpus: '2' })).toEqual({ gpus: { count: 2 } })
    expect(resolveResources({ partition: 'a', queue: 'a' })).toEqual({ partition: 'a' })
  })

  test.each([
    [{ core: 8 }, 'OPTION_UNKNOWN', "did you mean 'cores'?"],
    [{ walltime: '1h' }, 'OPTION_UNKNOWN', 'native'],
    [{ cores: 1.5 }, 'OPTION_INVALID', 'cores: 1.5'],
    [{ cores: '8' }, 'OPTION_INVALID', 'cores: "8"'],
    [{ nodes: 0 }, 'OPTION_INVALID', 'nodes: 0'],
    [{ gpus: 0 }, 'OPTION_INVALID', 'gpus: 0'],
    [{ gpus: 'a100' }, 'OPTION_INVALID', 'a100:2'],
    [{ memory: 'much' }, 'UNIT_INVALID', 'memory'],
    [{ memory: {} }, 'OPTION_INVALID', 'memory'],
    [{ time: null }, 'OPTION_INVALID', 'time'],
    [{ partition: 'a', queue: 'b' }, 'OPTION_INVALID', "'b'"],
    [{ account: '' }, 'OPTION_INVALID', 'account'],
    [{ native: '--x' }, 'OPTION_INVALID', 'native'],
    [{ native: ['--x', '--y\n#SBATCH --z'] }, 'VALUE_UNSAFE', 'native[1]'],
    [{ nodelist: ['n1', 'n\u0000'] }, 'VALUE_UNSAFE', 'nodelist[1]'],
    [{ exclusive: 'yes' }, 'OPTION_INVALID', 'exclusive'],
  ])('refuses %j', (given, code, text) => {
    const error = (() => {
      try {
        return resolveResources(wrong(given))
      } catch (caught) {
        return caught
      }
    })()
    expect(error).toBeInstanceOf(FarcallError)
    expect(error).toMatchObject({ code, message: expect.stringContaining(text) })
  })

  test('gives a record or a FarcallError for any value of any key', () => {
    fc.assert(
      fc.property(fc.constantFrom(...resourceNames), fc.anything(), (key, value) => {
        try {
          resolveResources(wrong({ [key]: value }))
        } catch (error) {
          expect(error).toBeInstanceOf(FarcallError)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('renderDirectives', () => {
  test('refuses a control character in every text, whatever the scheduler', () => {
    for (const key of ['name', 'partition', 'account', 'nodelist', 'native', 'log'] as const) {
      const value = key === 'native' ? ['a\nb'] : 'a\nb'
      expect(() => renderDirectives(slurm, { [key]: value })).toThrow(/control character/)
    }
    expect(() => renderDirectives(direct, { name: 'a\u001b' })).toThrow(/control character/)
  })

  test('refuses what a scheduler cannot express, naming both and a way out', () => {
    expect(() => renderDirectives(direct, { gpus: { count: 1 } })).toThrowErrorMatchingInlineSnapshot(`
      [ConfigError: direct cannot express gpus
        hint: direct starts a plain process at once, with no queue to grant it: leave gpus out, or use a profile with another scheduler]
    `)
    expect(() => renderDirectives(direct, { native: ['--x'] })).toThrow(/direct cannot express native/)
    expect(() => renderDirectives(direct, resolveResources({ queue: 'q' }))).toThrow(/partition/)
  })

  test('leaves to the template what direct does itself', () => {
    const asked = { name: 'x', cores: 2, memoryBytes: 1, timeSeconds: 1, log: '/l', array: { size: 2 } }
    expect(renderDirectives(direct, asked)).toEqual([])
  })
})

describe('findScheduler', () => {
  test('knows each by its name and aliases, in any case', () => {
    for (const scheduler of schedulers)
      for (const name of [scheduler.name, ...(scheduler.aliases ?? [])])
        expect(findScheduler(name.toUpperCase())).toBe(scheduler)
  })

  test('names those that there are', () => {
    expect(() => findScheduler('slrum')).toThrowErrorMatchingInlineSnapshot(`
      [ConfigError: there is no scheduler "slrum"
        hint: schedulers are slurm, sge, pbs, torque, direct]
    `)
  })
})
