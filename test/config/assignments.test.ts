import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readAssignment, setting, settingPath } from '../../src/config/assignments.ts'

const within = ['profiles', 'hpc']

it.each<[string, string[], unknown]>([
  ['host=login.hpc.edu', ['host'], 'login.hpc.edu'],
  ['host=1234', ['host'], '1234'],
  ['port=2222', ['port'], 2222],
  ['resources.time=02:00:00', ['resources', 'time'], '02:00:00'],
  ['resources.memory=16GB', ['resources', 'memory'], '16GB'],
  ['resources.exclusive=true', ['resources', 'exclusive'], true],
  ['resources.native=[--hold, "--x=1 2"]', ['resources', 'native'], ['--hold', '--x=1 2']],
  ['environment.variables.A=b=c', ['environment', 'variables', 'A'], 'b=c'],
  ['environment.variables.N=1', ['environment', 'variables', 'N'], '1'],
  ['password={ env: HPC_PASSWORD }', ['password'], { env: 'HPC_PASSWORD' }],
  ['workdir=$SCRATCH/farcall', ['workdir'], '$SCRATCH/farcall'],
])('%s', (text, path, value) => {
  expect(readAssignment(text, within)).toEqual({ path: [...within, ...path], value })
})

it('refuses what no configuration can hold, and says what is meant perhaps', () => {
  const invalid = (text: string) => {
    try {
      readAssignment(text, within)
    } catch (error) {
      return String(error)
    }
    return 'taken'
  }
  expect(invalid('resource.time=2h')).toContain(
    "profiles.hpc.resource: unknown key, did you mean 'resources'?",
  )
  expect(invalid('port=high')).toContain('profiles.hpc.port: expected a number from 1 to 65535, got "high"')
  expect(invalid('resources.time=soon')).toContain('expected a duration')
  // A secret that was typed is not shown.
  const said = invalid('password=hunter2')
  expect(said).toContain('a secret is not written here')
  expect(said).not.toContain('hunter2')
  for (const text of ['', '=', '=1', 'port']) expect(invalid(text)).toContain('sets nothing')
  for (const text of ['a..b=1', '.a=1', 'a.=1', '"a=1']) expect(invalid(text)).toContain('is no key')
})

it('reads a name with dots in quotes', () => {
  expect(settingPath('profiles."login.hpc.edu".host')).toEqual(['profiles', 'login.hpc.edu', 'host'])
})

it('takes any one-line text where text is wanted', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }).filter((text) => !/[\x00-\x1f\x7f]/.test(text)),
      (text) => {
        const { value } = setting('environment.variables.A', text, within)
        if (!/^["']/.test(text)) expect(value).toBe(text)
        expect(typeof value).toBe('string')
      },
    ),
  )
})
