import { existsSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { hostile } from './hostile.ts'
import { failure, left, thrown } from './left.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-hostile-'))
const workdir = `${folder}/work`
const place = { scheduler: 'direct', workdir, queryInterval: '1s', keep: 'none' } as const

beforeAll(() => configure({ profiles: { here: place }, defaultProfile: 'here' }))
afterEach(async () => {
  await close()
  expect(left(workdir)).toEqual([])
  expect(readdirSync(folder).includes('pwned')).toBe(false)
  expect(existsSync('pwned')).toBe(false)
})
afterAll(() => removeFolder(folder))

const unsafe = { name: 'ConfigError', code: 'VALUE_UNSAFE', hint: /./ }

describe('hostile text', () => {
  it('is a job name', async () => {
    const one = cluster(() => 1)
    expect(await Promise.all(hostile.map((name) => one.with({ name })()))).toEqual(hostile.map(() => 1))
  })

  it('is the value of a variable, as itself', async () => {
    const variables = Object.fromEntries(
      [...hostile, 'two\nlines', '\t', ''].map((text, n) => [`V${n}`, text]),
    )
    const seen = await cluster({ environment: { variables } }, () => ({ ...process.env }))()
    expect(seen).toMatchObject(variables)
  })

  it('is the value of any variable', { timeout: 180_000 }, async () => {
    const text = fc.string({ unit: 'binary', maxLength: 50 }).map((value) => value.replaceAll('\0', ''))
    const values = fc.sample(text, 200)
    const variables = Object.fromEntries(values.map((value, n) => [`V${n}`, value]))
    expect(await cluster({ environment: { variables } }, () => ({ ...process.env }))()).toMatchObject(
      variables,
    )
  })

  it('is an argument, a captured variable and a result, as itself', async () => {
    const captured = [...hostile, '\0\u0001\u001b[31m\u2028']
    expect(await cluster((given: string[]) => [given, captured])(captured)).toEqual([captured, captured])
  })

  it('is printed, line by line', async () => {
    const job = cluster((lines: string[]) => {
      for (const line of lines) console.log(line)
    })(hostile)
    await job
    const lines: string[] = []
    for await (const line of job.logs()) lines.push(line)
    expect(lines).toEqual(hostile)
  })

  it('is thrown, as itself', async () => {
    const throws = cluster((text: string) => {
      throw new Error(text)
    })
    const results = await Promise.allSettled(hostile.map((text) => throws(text)))
    expect(results.map((result) => (result as PromiseRejectedResult).reason.message)).toEqual(hostile)
  })

  it('is the work folder', { timeout: 180_000 }, async () => {
    for (const text of hostile) {
      // A $NAME in a workdir is the cluster's, by design.
      const path = join(folder, text.replaceAll('/', '_').replaceAll('$', 'S').replaceAll('\\', 'B'))
      configure({ profiles: { odd: { ...place, workdir: path } } })
      expect(await cluster({ profile: 'odd' }, () => 1)()).toBe(1)
      await close()
      expect({ text, left: left(path) }).toEqual({ text, left: [] })
      expect(existsSync(join(path, 'jobs'))).toBe(true)
    }
  })

  it('is no work folder when it holds a backslash, which Node cannot import from', async () => {
    configure({ profiles: { slashed: { ...place, workdir: join(folder, 'a\\b') } } })
    const expected = {
      name: 'ConfigError',
      code: 'WORKDIR_UNUSABLE',
      message: /a\\b.*backslash/,
      hint: /Node/,
    }
    await failure(cluster({ profile: 'slashed' }, () => 1)(), expected)
  })

  it('is a module, whose name reaches `module` as itself or is refused', { timeout: 180_000 }, async () => {
    const setup = ['module() { printf "%s\\n" "$#" "$2"; }']
    const shown = join(folder, 'module.sh')
    for (const text of hostile) {
      const job = cluster({ environment: { modules: [text], setup } }, () => 1)()
      const error = await job.catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'JOB_FAILED', reason: 'launch-failed' })
      expect(String(error)).toContain(text)
    }
    expect(existsSync(shown)).toBe(false)
  })

  it('is no name of a variable', () => {
    for (const name of [...hostile.filter((text) => /\W/.test(text)), '', 'A=B', 'A\nB', '1A', 'A-B'])
      thrown(() => cluster({ environment: { variables: { [name]: '1' } } }, () => 1), {
        name: 'ConfigError',
        code: 'OPTION_INVALID',
        message: /environment\.variables\..*letters, digits and underscores/s,
      })
  })

  it('is shell in setup lines, by design', async () => {
    const setup = ['export SUM=$((40 + 2))', "export QUOTED='it is'\\''s'", '# nothing']
    const seen = cluster({ environment: { setup } }, () => [process.env['SUM'], process.env['QUOTED']])
    expect(await seen()).toEqual(['42', "it is's"])
  })
})

describe('a control character', () => {
  it.each(['a\nb', 'a\tb', '\u001b[31m', 'a\u0000', 'a\u2028b', 'a\u0085b'])(
    '%j is refused by its place',
    async (text) => {
      for (const key of ['name', 'partition', 'account', 'constraint', 'qos'])
        thrown(() => cluster({ [key]: text }, () => 1), { ...unsafe, message: new RegExp(`^${key}: `) })
      thrown(() => cluster({ native: ['ok', text] }, () => 1), { ...unsafe, message: /^native\[1\]: / })
      thrown(() => cluster({ environment: { modules: [text] } }, () => 1), {
        ...unsafe,
        message: /^environment\.modules\[0\]: /,
      })
    },
  )

  it('in a work folder is refused by its key', async () => {
    configure({ profiles: { broken: { ...place, workdir: '/tmp/a\nb' } } })
    const expected = { name: 'ConfigError', code: 'CONFIG_INVALID', message: /profiles\.broken\.workdir/ }
    await failure(cluster({ profile: 'broken' }, () => 1)(), expected)
    configure({ profiles: { broken: { ...place } } })
  })

  it('NUL in the value of a variable is refused by its name', () => {
    thrown(() => cluster({ environment: { variables: { A: 'a\0b' } } }, () => 1), {
      ...unsafe,
      message: /environment\.variables\.A: /,
    })
  })
})
