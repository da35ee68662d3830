import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ConfigError } from '../../src/core/errors.ts'
import { folders } from './folders.ts'

const hpc = (lines: string) => `profiles:\n  hpc:\n    scheduler: slurm\n${lines.replace(/^/gm, '    ')}\n`

/** What a file holds, the error's code, and the whole message without the hint. */
const table: [title: string, name: string, text: string, code: string, message: string][] = [
  [
    'a port that is no number',
    'farcall.config.yaml',
    hpc('port: 22a'),
    'CONFIG_INVALID',
    'farcall.config.yaml: profiles.hpc.port: expected a number from 1 to 65535, got "22a"',
  ],
  [
    'a port out of range',
    'farcall.config.yaml',
    hpc('port: 70000'),
    'CONFIG_INVALID',
    'farcall.config.yaml: profiles.hpc.port: expected a number from 1 to 65535, got 70000',
  ],
  [
    'an unknown key near a known one',
    'farcall.config.yaml',
    hpc('hots: login'),
    'CONFIG_INVALID',
    "farcall.config.yaml: profiles.hpc.hots: unknown key, did you mean 'host'?",
  ],
  [
    'an unknown key near none',
    'farcall.config.yaml',
    'zebra: 1',
    'CONFIG_INVALID',
    'farcall.config.yaml: zebra: unknown key',
  ],
  [
    'an unknown key of an endpoint',
    'farcall.config.yaml',
    hpc('notify: [{ type: webhook, url: "https://example.org", mehtod: PUT }]'),
    'CONFIG_INVALID',
    "farcall.config.yaml: profiles.hpc.notify.0.mehtod: unknown key, did you mean 'method'?",
  ],
  [
    'a type of endpoint that is none',
    'farcall.config.yaml',
    'notify: [{ type: slak, url: { env: HOOK } }]',
    'CONFIG_INVALID',
    `farcall.config.yaml: notify.0.type: expected a record whose type is 'slack', 'webhook' or 'email', got "slak"`,
  ],
  [
    "Slack's URL, written down",
    'farcall.config.yaml',
    'notify: [{ type: slack, url: "https://hooks.slack.com/services/T0/B0/s3cr3t" }]',
    'CONFIG_INVALID',
    "farcall.config.yaml: notify.0.url: a secret is not written here; expected { env: 'NAME' }, the name of an environment variable",
  ],
  [
    'a token in a header',
    'farcall.config.yaml',
    'notify: [{ type: webhook, url: "https://example.org", headers: { X-Api-Key: s3cr3t } }]',
    'CONFIG_INVALID',
    "farcall.config.yaml: notify.0.headers: a secret is not written here; expected a record of texts; a secret is named: { authorization: { env: 'NAME' } }",
  ],
  [
    'http to another machine',
    'farcall.config.yaml',
    'notify: [{ type: webhook, url: "http://example.org/s3cr3t" }]',
    'CONFIG_INVALID',
    "farcall.config.yaml: notify.0.url: a secret is not written here; expected an https URL without a name or password in it, or { env: 'NAME' }",
  ],
  [
    'a state that is none',
    'farcall.config.yaml',
    hpc('notify: [{ type: email, to: me, on: [DONE] }]'),
    'CONFIG_INVALID',
    "farcall.config.yaml: profiles.hpc.notify.0.on: expected 'terminal', 'running-and-terminal', 'all', or a list of states like ['FAILED'], got a list",
  ],
  [
    'a callback that is no function',
    'farcall.config.yaml',
    hpc('onFail: mail me'),
    'CONFIG_INVALID',
    'farcall.config.yaml: profiles.hpc.onFail: expected a function, got "mail me"',
  ],
  [
    'an unknown resource',
    'farcall.config.yaml',
    hpc('resources: { partiton: short }'),
    'CONFIG_INVALID',
    "farcall.config.yaml: profiles.hpc.resources.partiton: unknown key, did you mean 'partition'?",
  ],
  [
    'a malformed duration',
    'farcall.config.yaml',
    hpc('resources: { time: 2 fortnights }'),
    'CONFIG_INVALID',
    `farcall.config.yaml: profiles.hpc.resources.time: expected a duration like '90s', '2h' or '02:00:00', or a number of seconds, got "2 fortnights"`,
  ],
  [
    'a malformed memory size',
    'farcall.config.yaml',
    hpc('resources: { memory: 16XB }'),
    'CONFIG_INVALID',
    `farcall.config.yaml: profiles.hpc.resources.memory: expected a memory size like '512MB' or '16GB', or a number of bytes, got "16XB"`,
  ],
  [
    'GPUs that are no count',
    'farcall.config.yaml',
    hpc('resources: { gpus: many }'),
    'CONFIG_INVALID',
    `farcall.config.yaml: profiles.hpc.resources.gpus: expected a number of GPUs, or a type and a number like 'a100:2', got "many"`,
  ],
  [
    'a word that is not one of the choices',
    'farcall.config.yaml',
    hpc('keep: some'),
    'CONFIG_INVALID',
    `farcall.config.yaml: profiles.hpc.keep: expected one of 'failed', 'all', 'none', got "some"`,
  ],
  [
    'a number as the text of a variable',
    'farcall.config.yaml',
    hpc('environment: { variables: { OMP_NUM_THREADS: 8 } }'),
    'CONFIG_INVALID',
    'farcall.config.yaml: profiles.hpc.environment.variables.OMP_NUM_THREADS: expected text (numbers in quotes), got 8',
  ],
  [
    'a relative work folder',
    'farcall.config.yaml',
    hpc('workdir: jobs'),
    'CONFIG_INVALID',
    'farcall.config.yaml: profiles.hpc.workdir: expected an absolute path on the cluster; ~ and $VARIABLES are its own, got "jobs"',
  ],
  [
    'a host that would be an option of ssh',
    'farcall.config.yaml',
    hpc('host: -oProxyCommand=x'),
    'CONFIG_INVALID',
    'farcall.config.yaml: profiles.hpc.host: expected a host name, got "-oProxyCommand=x"',
  ],
  [
    'a profile that is no record',
    'farcall.config.yaml',
    'profiles: { hpc: slurm }',
    'CONFIG_INVALID',
    'farcall.config.yaml: profiles.hpc: expected a profile, like { scheduler: slurm, host: login.hpc.edu }, got "slurm"',
  ],
  [
    'a file that holds a list',
    'farcall.config.json',
    '[1]',
    'CONFIG_INVALID',
    'farcall.config.json: expected a record with defaultProfile and profiles, got a list',
  ],
  [
    'two problems, each on its line',
    'farcall.config.yaml',
    hpc('port: 0\nkeep: 1'),
    'CONFIG_INVALID',
    `farcall.config.yaml: profiles.hpc.port: expected a number from 1 to 65535, got 0\nfarcall.config.yaml: profiles.hpc.keep: expected one of 'failed', 'all', 'none', got 1`,
  ],
  [
    'queue and partition that differ',
    'farcall.config.yaml',
    hpc('resources: { queue: a, partition: b }'),
    'CONFIG_INVALID',
    'farcall.config.yaml: profiles.hpc.resources.queue: it is another word for partition, and both are set',
  ],
  [
    'a control character',
    'farcall.config.json',
    '{"profiles":{"hpc":{"resources":{"account":"a\\nb"}}}}',
    'CONFIG_INVALID',
    'farcall.config.json: profiles.hpc.resources.account: expected text on one line, got "a\\nb"',
  ],
  [
    'broken YAML',
    'farcall.config.yaml',
    'profiles:\n  hpc: {a: 1\n',
    'CONFIG_UNREADABLE',
    'farcall.config.yaml:3:1: Flow map in block collection must be sufficiently indented and end with a }',
  ],
  [
    'a key twice in YAML',
    '.farcallrc',
    'profiles: {}\nprofiles: {}\n',
    'CONFIG_UNREADABLE',
    '.farcallrc:2:1: Map keys must be unique',
  ],
  [
    'broken JSON',
    'farcall.config.json',
    '{\n  "profiles": {},\n}',
    'CONFIG_UNREADABLE',
    'farcall.config.json:2:17: JSON does not support trailing commas',
  ],
  [
    'cut JSON',
    'farcall.config.json',
    '{\n  "profiles": {',
    'CONFIG_UNREADABLE',
    'farcall.config.json:2:16: Expected string in JSON but found end of file',
  ],
  [
    'broken package.json',
    'package.json',
    '{"name": }',
    'CONFIG_UNREADABLE',
    'package.json:1:10: Unexpected "}" in JSON',
  ],
  [
    'TypeScript that does not compile',
    'farcall.config.ts',
    'export default {\n  profiles: {{}\n}',
    'CONFIG_UNREADABLE',
    'farcall.config.ts:2:14: Expected identifier but found "{"',
  ],
  [
    'TypeScript that throws',
    'farcall.config.ts',
    'const a: number = 1\n\nif (a) throw new TypeError("no")\nexport default {}',
    'CONFIG_UNREADABLE',
    'farcall.config.ts:3:14: it threw TypeError: no',
  ],
  [
    'an import that is not there',
    'farcall.config.ts',
    'import x from "not-there-at-all"\nexport default x',
    'CONFIG_UNREADABLE',
    'farcall.config.ts:1:15: Could not resolve "not-there-at-all"',
  ],
  [
    'more of farcall than defineConfig',
    'farcall.config.ts',
    "import { cluster } from 'farcall'\nexport default cluster()",
    'CONFIG_UNREADABLE',
    'farcall.config.ts:1:10: No matching export in "farcall:farcall" for import "cluster"',
  ],
  [
    'no default export',
    'farcall.config.ts',
    'export const config = {}',
    'CONFIG_INVALID',
    'farcall.config.ts: it has no default export',
  ],
  [
    'a function as configuration',
    'farcall.config.mjs',
    'export default () => ({})',
    'CONFIG_INVALID',
    'farcall.config.mjs: expected a record with defaultProfile and profiles, got a function',
  ],
]

test.each(table)('%s is refused', async (_title, name, text, code, message) => {
  const { load } = folders({ [`home/project/${name}`]: text })
  const error = await load().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ConfigError)
  expect((error as ConfigError).code).toBe(code)
  expect((error as ConfigError).message.split('\n  hint: ')[0]).toBe(message)
})

test.each(['password', 'passphrase'])('a %s in clear is refused without repeating it', async (key) => {
  for (const value of ["'hunter2'", '{ env: hunter2! }', '{ env: [hunter2] }', '[hunter2]']) {
    const { load } = folders({ 'home/project/farcall.config.yaml': hpc(`${key}: ${value}`) })
    const error = (await load().catch((reason: unknown) => reason)) as ConfigError
    expect(error.code).toBe('CONFIG_INVALID')
    expect(error.message).toContain(`farcall.config.yaml: profiles.hpc.${key}`)
    expect(error.hint).toContain("{ env: 'HPC_PASSWORD' }")
    expect(error.message).not.toContain('hunter2')
  }
})

test('the value of an unknown key is not repeated', async () => {
  const { load } = folders({ 'home/project/farcall.config.yaml': hpc('passwrd: hunter2') })
  const error = (await load().catch((reason: unknown) => reason)) as ConfigError
  expect(error.message).toContain("profiles.hpc.passwrd: unknown key, did you mean 'password'?")
  expect(error.message).not.toContain('hunter2')
})

test('a folder with the name of a configuration file is passed over', async () => {
  const { load, cwd } = folders()
  mkdirSync(join(cwd, 'farcall.config.yaml'))
  expect((await load()).files).toEqual([])
})
