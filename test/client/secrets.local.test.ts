import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { hostile } from './hostile.ts'
import { failure } from './left.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-secrets-'))
const workdir = `${folder}/work`
const store = `${folder}/store`
const token = `s3cret-${process.pid}`

beforeAll(() =>
  configure({
    store,
    profiles: { here: { scheduler: 'direct', workdir, keep: 'all' } },
    defaultProfile: 'here',
  }),
)
afterEach(async () => {
  await close()
  for (const name of Object.keys(process.env)) if (name.startsWith('TEST_SECRET')) delete process.env[name]
})
afterAll(() => removeFolder(folder))

const secrets = (...names: string[]) => ({ environment: { secrets: names } })
/** Files of the work folder and of the store that hold it. */
const holders = () =>
  // What a process that ends takes away meanwhile is no error.
  spawnSync('grep', ['-rlF', '--', token, workdir, store], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean)

it('a secret reaches the function, and stays nowhere: no script, spec, log, record or command line', async () => {
  process.env['TEST_SECRET'] = token
  const show = cluster(secrets('TEST_SECRET'), async () => {
    const { readdirSync, readFileSync, statSync } = await import('node:fs')
    const { execFileSync } = await import('node:child_process')
    const file = readdirSync('.', { recursive: true, encoding: 'utf8' }).find((name) =>
      name.endsWith('/secrets'),
    )
    return {
      length: process.env['TEST_SECRET']!.length,
      ends: process.env['TEST_SECRET']!.slice(-3),
      mode: (statSync(file!).mode & 0o777).toString(8),
      processes: execFileSync('sh', ['-c', 'cat /proc/[0-9]*/cmdline 2>/dev/null || true'], {
        encoding: 'latin1',
      }).includes(readFileSync(file!, 'utf8').split('=')[1]!.trim()),
    }
  })
  expect(await show.script()).toMatch(/# Secrets: TEST_SECRET\n/)
  expect(await show.script()).not.toContain(token)
  expect(await show()).toEqual({ length: token.length, ends: token.slice(-3), mode: '600', processes: false })
  await close()
  expect(holders()).toEqual([])
})

it('hostile values arrive as they are', async () => {
  hostile.forEach((text, n) => {
    process.env[`TEST_SECRET${n}`] = text
  })
  const names = hostile.map((_, n) => `TEST_SECRET${n}`)
  const read = cluster(secrets(...names), (names: string[]) => names.map((name) => process.env[name]))
  expect(await read(names)).toEqual(hostile)
})

it('each member of an array has it, and a retry as well', async () => {
  process.env['TEST_SECRET'] = token
  const marks = `${folder}/marks`
  const options = {
    ...secrets('TEST_SECRET'),
    retry: { retries: 1, base: '10ms', on: ['exception'] },
  } as const
  const twice = cluster({ ...options, chunk: 1 }, async (index: number) => {
    const { mkdirSync } = await import('node:fs')
    mkdirSync(marks, { recursive: true })
    try {
      mkdirSync(`${marks}/${index}`)
    } catch {
      return process.env['TEST_SECRET']!.length
    }
    if (index % 2 === 1) throw new Error('again')
    return process.env['TEST_SECRET']!.length
  })
  expect(await twice.map([0, 1, 2, 3, 4])).toEqual([0, 1, 2, 3, 4].map(() => token.length))
  await close()
  expect(holders()).toEqual([])
})

it('a job that fails, or is canceled, leaves none behind', async () => {
  process.env['TEST_SECRET'] = token
  await expect(cluster(secrets('TEST_SECRET'), () => process.exit(3))()).rejects.toThrow(/exit code 3/)
  const job = cluster(secrets('TEST_SECRET'), () => new Promise((resolve) => setTimeout(resolve, 600_000)))()
  for await (const { state } of job.updates()) if (state === 'ACTIVE') break
  await job.cancel()
  await expect(job).rejects.toThrow(/canceled/)
  await close()
  expect(holders()).toEqual([])
})

it('a variable that is not set here is refused by name, and nothing is submitted', async () => {
  process.env['TEST_SECRET'] = ''
  const before = existsSync(`${workdir}/jobs`) ? readdirSync(`${workdir}/jobs`) : []
  await failure(cluster(secrets('TEST_SECRET', 'TEST_SECRET_2'), () => 1)(), {
    name: 'ConfigError',
    code: 'SECRET_MISSING',
    message: /environment\.secrets: TEST_SECRET, TEST_SECRET_2 are not set here/,
    hint: /environment of this program/,
  })
  expect(readdirSync(`${workdir}/jobs`)).toEqual(before)
  // A value in its place is not shown.
  expect(() => cluster({ environment: { secrets: ['not-a-name'] } }, () => 1)).toThrow(
    /environment\.secrets\[0\]: a secret is not written here/,
  )
  expect(() => cluster({ environment: { secrets: ['not-a-name'] } }, () => 1)).not.toThrow(/not-a-name/)
  expect(execFileSync('sh', ['-c', `grep -rl TEST_SECRET_2 ${workdir} || true`], { encoding: 'utf8' })).toBe(
    '',
  )
})
