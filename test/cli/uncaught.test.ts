import { expect, test } from 'vitest'
import { builtPackage } from './built.ts'

const { write, farcall } = builtPackage()
const colours = { env: { FORCE_COLOR: '1' } }

const throws = `type A = 1

function fail(n: number): never {
  throw new RangeError('too far', { cause: new Error('the reason') })
}
fail(1)
`

test('on a terminal, an error at the top comes once, with its lines of TypeScript and its cause', async () => {
  write({ 'throws.ts': throws })
  const { stderr, code } = await farcall(['run', 'throws.ts'], colours)
  expect(code).toBe(1)
  expect(stderr).toContain(`throws.ts:4:9
  2 |
  3 | function fail(n: number): never {
> 4 |   throw new RangeError('too far', { cause: new Error('the reason') })
    |         ^
  5 | }
  6 | fail(1)
`)
  expect(stderr.match(/RangeError: too far/g)).toHaveLength(1)
  expect(stderr.match(/Error: the reason/g)).toHaveLength(1)
})

test('elsewhere it comes as Node tells it', async () => {
  write({ 'throws.ts': throws })
  const { stderr, code } = await farcall(['run', 'throws.ts'])
  expect(code).toBe(1)
  expect(stderr).not.toContain('> 4 |')
  expect(stderr).toMatch(/\nNode\.js v\d+/)
})

test('an error of ours is told in words with the user’s own lines; --verbose brings the stack', async () => {
  write({
    'ours.ts': `import { cluster } from 'farcall'\n\ncluster({ cores: -1 }, () => 1)\n`,
    'later.ts': `import { cluster } from 'farcall'\nconst f = cluster(() => 1)\nawait f.with({ profile: 'nowhere' })()\n`,
  })
  const { stderr, code } = await farcall(['run', 'ours.ts'])
  expect(code).toBe(1)
  expect(stderr).toMatch(/^error OPTION_INVALID: .*cores/)
  expect(stderr).toMatch(/^\s+at .*ours\.ts:3:1\)?$/m)
  expect(stderr).toMatch(/\n {2}see: docs\/errors\/OPTION_INVALID\.md\n$/)
  expect(stderr).not.toContain('/dist/')
  expect((await farcall(['--verbose', 'run', 'ours.ts'])).stderr).toContain('/dist/client/')
  const framed = await farcall(['run', 'ours.ts'], colours)
  expect(framed.stderr).toContain('> 3 | cluster({ cores: -1 }, () => 1)')
  const later = await farcall(['run', 'later.ts'])
  expect(later.code).toBe(1)
  expect(later.stderr).toMatch(/^error PROFILE_UNKNOWN: /)
  expect(later.stderr).not.toContain('/dist/')
})

test('a program that handles its errors itself does so, and its exit handlers see the code', async () => {
  write({
    'handles.ts': `process.on('uncaughtException', (error) => { console.log('mine', error.message); process.exitCode = 5 })\n${throws}`,
    'exits.ts': `process.on('exit', (code) => console.log('exit ' + code))\n${throws}`,
    'rejects.ts': `process.on('unhandledRejection', (error) => console.log('mine', (error as Error).message))\nvoid Promise.reject(new Error('x'))`,
  })
  expect(await farcall(['run', 'handles.ts'], colours)).toMatchObject({
    stdout: 'mine too far\n',
    stderr: '',
    code: 5,
  })
  expect(await farcall(['run', 'exits.ts'], colours)).toMatchObject({ stdout: 'exit 1\n', code: 1 })
  expect(await farcall(['run', 'rejects.ts'], colours)).toMatchObject({ stdout: 'mine x\n', code: 0 })
})
