import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ClusterOptions, close, cluster, configure, type MapOptions } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { failure, left, thrown } from './left.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-bad-input-'))
const workdir = `${folder}/work`
const place = { scheduler: 'direct', workdir, queryInterval: '1s', keep: 'none' } as const
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

beforeAll(() => configure({ profiles: { here: place }, defaultProfile: 'here' }))
afterEach(async () => {
  await close()
  expect(left(workdir)).toEqual([])
})
afterAll(() => removeFolder(folder))

const one = (_n?: number) => 1
/** Options as they come from JavaScript, or from a file. */
const untyped = (options: Record<string, unknown>) => options as ClusterOptions

describe('an option that does not exist', () => {
  it.each([
    [{ coers: 2 }, /^coers: /, /did you mean 'cores'\?/],
    [{ memroy: '1GB' }, /^memroy: /, /did you mean 'memory'\?/],
    [{ profil: 'here' }, /^profil: /, /did you mean 'profile'\?/],
    [{ chunck: 3 }, /^chunck: /, /did you mean 'chunk'\?/],
    [{ enviroment: {} }, /^enviroment: /, /did you mean 'environment'\?/],
    [{ zebra: 1 }, /^zebra: /, /options are .*profile.*cores.*native/],
  ])('%j is refused where it is written', (options, message, hint) => {
    const expected = { name: 'ConfigError', code: 'OPTION_UNKNOWN', message, hint }
    thrown(() => cluster(untyped(options), one), expected)
    thrown(() => cluster(untyped(options)), expected)
    thrown(() => cluster(one).with(untyped(options)), expected)
  })

  it('is refused in the options of a map', () => {
    const expected = { name: 'ConfigError', code: 'OPTION_UNKNOWN', message: /^chunck: /, hint: /'chunk'/ }
    thrown(() => cluster(one).map([1], untyped({ chunck: 3 }) as MapOptions), expected)
  })

  it('is refused in an environment', () => {
    const options = untyped({ environment: { module: ['gcc'] } })
    const message = /^environment\.module: .*did you mean 'modules'\?/
    const expected = { code: 'OPTION_UNKNOWN', message, hint: /node, .*modules/ }
    thrown(() => cluster(options, one), { name: 'ConfigError', ...expected })
  })
})

describe('an option that cannot be read', () => {
  it.each([
    [{ memory: '16XB' }, 'UNIT_INVALID', /^memory: .*16XB/],
    [{ memory: 'much' }, 'UNIT_INVALID', /^memory: .*much/],
    [{ memory: -1 }, 'UNIT_INVALID', /^memory: .*-1/],
    [{ time: '2 fortnights' }, 'UNIT_INVALID', /^time: .*2 fortnights/],
    [{ time: '1:99' }, 'UNIT_INVALID', /^time: .*1:99/],
    [{ time: Number.NaN }, 'UNIT_INVALID', /^time: /],
    [{ memory: { GB: 1 } }, 'OPTION_INVALID', /^memory: /],
    [{ cores: 0 }, 'OPTION_INVALID', /^cores: 0/],
    [{ cores: 1.5 }, 'OPTION_INVALID', /^cores: 1\.5/],
    [{ cores: '2' }, 'OPTION_INVALID', /^cores: "2"/],
    [{ gpus: 'many' }, 'OPTION_INVALID', /^gpus: "many"/],
    [{ exclusive: 'yes' }, 'OPTION_INVALID', /^exclusive: "yes"/],
    [{ native: '--foo' }, 'OPTION_INVALID', /^native: "--foo"/],
    [{ partition: 'a', queue: 'b' }, 'OPTION_INVALID', /partition is 'a' and queue is 'b'/],
    [{ chunk: 0 }, 'OPTION_INVALID', /^chunk: .*0/],
    [{ concurrency: 'all' }, 'OPTION_INVALID', /^concurrency: .*"all"/],
    [{ profile: 7 }, 'OPTION_INVALID', /^profile: .*7/],
    [{ signal: 15 }, 'OPTION_INVALID', /^signal: .*15/],
    [{ environment: 'gcc' }, 'OPTION_INVALID', /^environment: .*"gcc"/],
    [{ environment: { modules: 'gcc' } }, 'OPTION_INVALID', /^environment\.modules: .*"gcc"/],
    [{ environment: { setup: 'ulimit -s 1' } }, 'OPTION_INVALID', /^environment\.setup: /],
    [{ environment: { node: './bin/node' } }, 'OPTION_INVALID', /^environment\.node: .*"\.\/bin\/node"/],
    [{ environment: { variables: { N: 8 } } }, 'OPTION_INVALID', /^environment\.variables\.N: .*8/],
    [{ environment: { variables: { 'A-B': '1' } } }, 'OPTION_INVALID', /^environment\.variables\.A-B: /],
  ])('%j is refused where it is written', (options, code, message) => {
    thrown(() => cluster(untyped(options), one), { name: 'ConfigError', code, message })
  })

  it.each([null, 'fast', 4])('%j instead of options', (options) => {
    const expected = { name: 'ConfigError', code: 'OPTION_INVALID', message: /^cluster: / }
    thrown(() => cluster(options as never, one), expected)
  })

  it('is no function', () => {
    const expected = { name: 'ConfigError', code: 'OPTION_INVALID', message: /expected a function/ }
    thrown(() => cluster({ cores: 1 }, 5 as never), { ...expected, hint: /cluster\(options, fn\)/ })
  })

  it.each([5, null, undefined, {}])('is nothing to map over: %j', async (items) => {
    const mapped = (async () => cluster(one).map(items as never))()
    await failure(mapped, {
      name: 'CaptureError',
      code: 'VALUE_REFUSED',
      message: /^map: expected/,
      hint: /array/,
    })
  })

  it('is no list of arguments', async () => {
    const add = cluster((a: number, b: number) => a + b)
    const mapped = add.starmap([[1, 2], 3 as never])
    await failure(mapped, {
      name: 'CaptureError',
      code: 'VALUE_REFUSED',
      message: /^starmap: .*1/,
      hint: /\[\[/,
    })
  })
})

describe('a place that does not exist', () => {
  it('is a profile of another name', async () => {
    const expected = { name: 'ConfigError', code: 'PROFILE_UNKNOWN', hint: /did you mean 'here'/ }
    await failure(cluster({ profile: 'heer' }, one)(), { ...expected, message: /'heer'.*here, local/ })
  })

  it('is a scheduler of another name', async () => {
    configure({ profiles: { odd: { scheduler: 'slrm', workdir } } })
    const expected = { name: 'ConfigError', code: 'SCHEDULER_UNKNOWN', hint: /slurm/ }
    await failure(cluster({ profile: 'odd' }, one)(), { ...expected, message: /slrm/ })
  })

  it.each([
    [{ gpus: 1 }, /direct cannot express gpus/],
    [{ partition: 'long' }, /direct cannot express partition/],
    [{ native: ['--begin=now'] }, /direct cannot express native/],
    [{ dependency: 'afterok:1' }, /direct cannot express dependency/],
  ])('is what the scheduler cannot express: %j', async (options, message) => {
    const expected = { name: 'ConfigError', code: 'RESOURCE_UNSUPPORTED', hint: /leave .* out/ }
    await failure(cluster(options, one)(), { ...expected, message })
    await failure(cluster(options, one).map([1, 2]), { ...expected, message })
    await failure(cluster(options, one).map([1]), { ...expected, message })
    await failure(cluster(options, one).script(), { ...expected, message })
  })

  it('is a host that says local', async () => {
    configure({ profiles: { both: { scheduler: 'direct', host: 'somewhere', transport: 'local' } } })
    const expected = { name: 'ConfigError', code: 'CONFIG_INVALID', message: /host/ }
    await failure(cluster({ profile: 'both' }, one)(), expected)
  })

  it('is an slurm where there is none', async () => {
    configure({ profiles: { none: { scheduler: 'slurm', workdir } } })
    const before = process.env['PATH']
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    for (const name of [
      'sh',
      'bash',
      'tar',
      'mkdir',
      'rmdir',
      'mv',
      'rm',
      'touch',
      'wc',
      'ls',
      'id',
      'nproc',
      'date',
      'cat',
    ])
      writeFileSync(join(bin, name), `#!/bin/sh\nPATH=${before} exec ${name} "$@"\n`, { mode: 0o755 })
    rmSync(join(bin, 'sh'))
    writeFileSync(join(bin, 'sh'), '#!/bin/dash\nexec /bin/dash "$@"\n', { mode: 0o755 })
    process.env['PATH'] = bin
    try {
      const expected = { name: 'SubmitError', code: 'SCHEDULER_MISSING', hint: /./ }
      await failure(cluster({ profile: 'none' }, one)(), { ...expected, message: /sbatch/ })
    } finally {
      process.env['PATH'] = before
    }
  })
})

describe('a template of the user', () => {
  const using = (template: string) => {
    configure({ profiles: { own: { ...place, template } } })
    return cluster({ profile: 'own' }, () => process.env['ADDED'])
  }
  const ours = readFileSync(new URL('../../templates/direct.sh.liquid', import.meta.url), 'utf8')

  it('adds its lines', async () => {
    const template = file('good.liquid', ours.replace('#!/bin/sh', "#!/bin/sh\nexport ADDED='by me'"))
    expect(await using(template)()).toBe('by me')
    expect(await using(template).script()).toContain("export ADDED='by me'")
  })

  it.each([
    ['names what there is not', '#!/bin/sh\n{{ walltime }}', /bad\.liquid:2: .*walltime/],
    ['does not end what it begins', '#!/bin/sh\n{% if cores %}', /bad\.liquid:2: .*if/],
    ['uses a filter that there is not', '#!/bin/sh\n\n{{ id | quote }}', /bad\.liquid:3: .*quote/],
  ])('that %s is refused with its line', async (_title, text, message) => {
    const expected = { name: 'ConfigError', code: 'TEMPLATE_INVALID', hint: /templates\// }
    await failure(using(file('bad.liquid', text))(), { ...expected, message })
  })

  it('that is not there is refused by its path', async () => {
    const expected = { name: 'ConfigError', code: 'TEMPLATE_INVALID', hint: /template/ }
    await failure(using(join(folder, 'none.liquid'))(), { ...expected, message: /none\.liquid/ })
  })

  it('whose script is no shell fails with the words of the shell', { timeout: 120_000 }, async () => {
    const job = using(file('broken.liquid', '#!/bin/sh\nif true; then echo oh\n'))()
    const expected = { name: 'JobFailedError', code: 'JOB_FAILED', hint: /./ }
    await failure(job, { ...expected, message: /[Ss]yntax error|unexpected end of file/ })
  })
})

describe('a work folder', () => {
  const at = (path: string) => {
    configure({ profiles: { there: { ...place, workdir: path } } })
    return cluster({ profile: 'there' }, one)()
  }
  const unusable = { name: 'ConfigError', code: 'WORKDIR_UNUSABLE', hint: /workdir/ }

  it('that others may write to is refused', async () => {
    const path = join(folder, 'shared')
    mkdirSync(path)
    for (const mode of [0o770, 0o707, 0o777]) {
      chmodSync(path, mode)
      const expected = { name: 'ConfigError', code: 'WORKDIR_UNSAFE', message: /shared .* by others/ }
      await failure(at(path), { ...expected, hint: /chmod go-w/ })
    }
  })

  it('that has a variable which is not set is refused by its name', async () => {
    await failure(at('$NOWHERE_AT_ALL/work'), { ...unusable, message: /NOWHERE_AT_ALL.*is not set/ })
  })

  it('that cannot be made is refused with the reason', async () => {
    file('plain', 'a file')
    await failure(at(join(folder, 'plain/work')), { ...unusable, message: /plain.*Not a directory/ })
    await failure(at('/proc/farcall'), { ...unusable, message: /\/proc\/farcall/ })
  })

  it('that holds a file where a folder belongs is refused', async () => {
    const path = join(folder, 'occupied')
    mkdirSync(path, { mode: 0o700 })
    writeFileSync(join(path, 'jobs'), '')
    await failure(at(path), { ...unusable, message: /jobs/ })
  })
})

describe('a value that cannot travel', () => {
  const expected = { name: 'CaptureError', code: 'VALUE_REFUSED', hint: /./ }

  it('is named by its path in the arguments, and no job is made', async () => {
    const socket = createServer()
    const take = cluster((_value: unknown) => 1)
    await failure(take({ a: [socket] }), { ...expected, message: /args\[0\].a\[0\]: a server/ })
    await failure(take(Symbol('x')), { ...expected, message: /symbol/i })
    await failure(take.map([1, Promise.resolve(2)]), { ...expected, message: /item 1.*[Pp]romise/ })
  })

  it('is refused alone when calls are made together', async () => {
    const double = cluster((value: unknown) => Number(value) * 2)
    const results = await Promise.allSettled([double(1), double(new WeakMap()), double(3)])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(results[2]).toMatchObject({ value: 6 })
  })

  it('is named when the function captured it', async () => {
    const server = createServer()
    const asks = cluster(() => server.listening)
    const refused = { ...expected, code: 'CAPTURE_REFUSED' }
    await failure(asks(), { ...refused, message: /captured 'server': a server/ })
  })

  it('is named in the result', async () => {
    const gives = cluster(() => ({ deep: [() => 1] }))
    const error = await gives().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'VALUE_REFUSED' })
    expect(String(error)).toMatch(/deep\[0\]/)
  })
})

it('leaves no temporary file of configuration behind', () => {
  expect(existsSync(join(folder, 'farcall-config-'))).toBe(false)
})
