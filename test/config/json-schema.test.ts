import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, it } from 'vitest'
import { configJsonSchema } from '../../src/config/json-schema.ts'
import { lineOf } from '../../src/config/lines.ts'

const validate = new Ajv2020({ strict: false }).compile(configJsonSchema())

it('takes what a configuration may say', () => {
  expect(
    validate({
      $schema: './node_modules/farcall/dist/farcall.schema.json',
      defaultProfile: 'hpc',
      profiles: {
        hpc: {
          scheduler: 'slurm',
          host: 'login',
          resources: { time: '1h', memory: 1e9, nodelist: ['a'] },
          password: { env: 'P' },
        },
      },
    }),
  ).toBe(true)
})

it.each([
  [{ profile: {} }],
  [{ profiles: { hpc: { prot: 22 } } }],
  [{ profiles: { hpc: { port: 'high' } } }],
  [{ profiles: { hpc: { transport: 'telnet' } } }],
  [{ profiles: { hpc: { password: 'hunter2' } } }],
  [{ profiles: { hpc: { resources: { cores: 0 } } } }],
])('refuses %j', (config) => {
  expect(validate(config)).toBe(false)
})

it('the line of a key is found in YAML and in JSON', () => {
  const yaml = '# a\nprofiles:\n  hpc:\n    # b\n    resources: { time: 1h,\n      cores: 2 }\n'
  expect(lineOf(yaml, ['profiles', 'hpc', 'resources', 'cores'])).toBe(6)
  expect(lineOf(yaml, ['profiles'])).toBe(2)
  expect(lineOf('{\n "a": {\n  "b": 1 } }', ['a', 'b'])).toBe(3)
  expect(lineOf(yaml, ['profiles', 'none', 'x'])).toBeUndefined()
  expect(lineOf('', ['a'])).toBeUndefined()
})
