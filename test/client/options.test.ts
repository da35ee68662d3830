import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkOptions } from '../../src/client/options/check-options.ts'
import { mergeEnvironments, mergeOptions } from '../../src/client/options/merge-options.ts'
import { ConfigError } from '../../src/core/errors.ts'

describe('an environment on top of another', () => {
  it('has variables and the ends of PATH one by one, and else each setting as a whole', () => {
    const profile = {
      node: 'auto',
      modules: ['gcc', 'nodejs'],
      variables: { A: '1', B: '1' },
      path: { prepend: ['/p'], append: ['/a'] },
      conda: 'base',
      umask: '027',
    }
    const decorator = { modules: ['cuda'], variables: { B: '2', C: '2' }, path: { prepend: ['~/bin'] } }
    const call = { variables: { C: '3' }, conda: false, cwd: '$SCRATCH' } as const
    expect(mergeEnvironments(mergeEnvironments(profile, decorator), call)).toEqual({
      node: 'auto',
      modules: ['cuda'],
      variables: { A: '1', B: '2', C: '3' },
      path: { prepend: ['~/bin'], append: ['/a'] },
      conda: false,
      umask: '027',
      cwd: '$SCRATCH',
    })
  })

  it('merges in any grouping, and says nothing by an undefined value', () => {
    const environment = fc.record(
      {
        modules: fc.array(fc.constantFrom('a', 'b'), { maxLength: 2 }),
        variables: fc.dictionary(fc.constantFrom('A', 'B'), fc.constantFrom('1', '2')),
        path: fc.record({ prepend: fc.constant(['/p']), append: fc.constant(['/a']) }, { requiredKeys: [] }),
        purge: fc.boolean(),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(environment, environment, environment, (a, b, c) => {
        const left = mergeEnvironments(mergeEnvironments(a, b), c)
        expect(left).toEqual(mergeEnvironments(a, mergeEnvironments(b, c)))
      }),
    )
    expect(mergeEnvironments({ cwd: '/a' }, { cwd: undefined } as never)).toEqual({
      cwd: '/a',
      variables: {},
    })
    const options = mergeOptions({ environment: { venv: '~/v' } }, { environment: { umask: '002' } })
    expect(options.environment).toEqual({ venv: '~/v', umask: '002', variables: {} })
  })
})

describe('a setting of an environment that cannot be read', () => {
  it.each([
    [{ purge: 'yes' }, 'environment.purge: expected true or false, got "yes"'],
    [
      { conda: '' },
      'environment.conda: expected the name of a conda environment, its folder as an absolute path, or false, got ""',
    ],
    [{ conda: 'a b' }, 'environment.conda: expected the name of a conda environment, '],
    [
      { venv: 'venv' },
      'environment.venv: expected the folder of a Python virtual environment as an absolute path, or false, got "venv"',
    ],
    [
      { path: ['/x'] },
      "environment.path: expected a record with prepend or append, like { prepend: ['~/bin'] }, got a list",
    ],
    [
      { path: { prepend: ['bin'] } },
      'environment.path.prepend[0]: expected an absolute path on the cluster, without a colon, got "bin"',
    ],
    [{ path: { append: ['/a:/b'] } }, 'environment.path.append[0]: expected an absolute path'],
    [
      { cwd: 'data' },
      'environment.cwd: expected an absolute path on the cluster; ~ and $VARIABLES are its own, got "data"',
    ],
    [{ umask: 22 }, "environment.umask: expected three octal digits in quotes, like '027', got 22"],
    [{ umask: '0888' }, 'environment.umask: '],
  ])('%j is refused with what was expected', (environment, message) => {
    try {
      checkOptions({ environment }, 'cluster')
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError)
      expect((error as ConfigError).code).toBe('OPTION_INVALID')
      expect((error as ConfigError).message).toContain(message)
      return
    }
    expect.fail('it was taken')
  })

  it('is named by the nearest that there is', () => {
    expect(() => checkOptions({ environment: { path: { prepent: [] } } }, 'cluster')).toThrow(
      /environment\.path\.prepent: unknown key, did you mean 'prepend'\?\n +hint: environment\.path has prepend, append/,
    )
  })
})
