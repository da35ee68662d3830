import { randomBytes } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { attach, close, cluster, configure, fs, localFile, remoteFile } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

const start = process.cwd()
const base = mkdtempSync(join(tmpdir(), 'farcall-stage-'))
const workdir = join(base, 'work')
let folder: string
let count = 0

beforeEach(() => {
  folder = join(base, `c${count++}`)
  mkdirSync(join(folder, 'data/sub'), { recursive: true })
  process.chdir(folder)
  configure({ profiles: { here: { scheduler: 'direct', workdir } }, defaultProfile: 'here' })
})
afterEach(close)
afterAll(() => {
  process.chdir(start)
  removeFolder(base)
})

const blobs = () => readdirSync(join(workdir, 'blobs')).filter((name) => name.endsWith('.dat'))

test('inputs lie where they lay, outputs come back to where the call was made', async () => {
  writeFileSync('data/a.csv', '1,2\n')
  writeFileSync('data/b.csv', '3,4\n')
  writeFileSync('data/c.txt', 'no')
  const sum = cluster(
    { stage: { in: ['data/*.csv'], out: ['results/**', 'log.txt'] } },
    async (name: string) => {
      const found = await fs.glob('**/*')
      let text = ''
      for (const path of await fs.glob('data/*.csv')) text += await fs.read(path, 'utf8')
      await fs.write(`results/${name}/all.csv`, text)
      await fs.write('log.txt', 'done')
      await fs.write('scratch.tmp', 'stays there')
      return found
    },
  )
  const job = sum('deep')
  expect(await job).toEqual(['data', 'data/a.csv', 'data/b.csv'])
  expect(readFileSync('results/deep/all.csv', 'utf8')).toBe('1,2\n3,4\n')
  expect(readFileSync('log.txt', 'utf8')).toBe('done')
  expect(existsSync('scratch.tmp')).toBe(false)
  expect([...(await job.outputs())].sort()).toEqual([
    join(folder, 'log.txt'),
    join(folder, 'results/deep/all.csv'),
  ])
})

test('what lies elsewhere gets the place that is given; filters are by name', async () => {
  mkdirSync('in/raw', { recursive: true })
  for (const name of ['in/a.csv', 'in/raw/b.csv', 'in/raw/b.tmp', 'in/.hidden']) writeFileSync(name, name)
  writeFileSync(join(base, 'outside.bin'), 'outside')
  symlinkSync('a.csv', 'in/link.csv')
  const list = cluster(
    {
      stage: {
        in: [
          { from: 'in', to: 'given', exclude: ['*.tmp'] },
          { from: 'in/**/*.csv', to: 'flat/', include: ['b*'] },
          { from: 'in/a.csv', to: 'renamed.csv' },
          { from: 'in/a.csv', to: 'put/' },
          join(base, 'outside.bin'),
          '../outside.bin',
        ],
      },
    },
    async () => (await fs.find('.', { type: 'file' })).map(({ path }) => path),
  )
  expect(await list()).toEqual([
    'flat/raw/b.csv',
    'given/.hidden',
    'given/a.csv',
    'given/link.csv',
    'given/raw/b.csv',
    'outside.bin',
    'put/a.csv',
    'renamed.csv',
  ])
})

test('a map has a folder for each item', async () => {
  writeFileSync('data/x', 'shared')
  const work = cluster({ stage: { in: ['data/x'], out: ['out.txt'] } }, async (n: number) => {
    await fs.write('out.txt', `${n} ${await fs.read('data/x', 'utf8')}`)
    return n
  })
  expect(await work.map([5, 6, 7])).toEqual([5, 6, 7])
  expect(['0', '1', '2'].map((index) => readFileSync(`${index}/out.txt`, 'utf8'))).toEqual([
    '5 shared',
    '6 shared',
    '7 shared',
  ])
  const named = work.with({ stage: { in: ['data/x'], out: ['*.txt'], to: 'runs/run-{index}' } })
  await named.map([1, 2], { chunk: 2 })
  expect(readFileSync('runs/run-1/out.txt', 'utf8')).toBe('2 shared')
})

test('the content of inputs goes over once', async () => {
  const before = blobs().length
  const large = randomBytes(3_000_000)
  writeFileSync('data/large', large)
  writeFileSync('data/same', large)
  const size = cluster({ stage: { in: ['data/*'] } }, async () => [
    (await fs.stat('data/large')).size,
    (await fs.stat('data/same')).size,
  ])
  expect(await size()).toEqual([3_000_000, 3_000_000])
  expect(blobs().length).toBe(before + 1)
  expect(await size()).toEqual([3_000_000, 3_000_000])
  for (const name of blobs()) rmSync(join(workdir, 'blobs', name), { force: true })
  expect(await size()).toEqual([3_000_000, 3_000_000])
  writeFileSync('data/same', 'changed')
  expect(await size()).toEqual([3_000_000, 7])
})

test('an input that is missing is an error before anything is submitted', async () => {
  const nothing = cluster({ stage: { in: ['data/*.none'] } }, () => 1)
  await expect(nothing()).rejects.toMatchObject({
    code: 'FILE_MISSING',
    message: expect.stringContaining('data/*.none'),
  })
  const missing = nothing.with({ stage: { in: ['data/none.csv'] } })
  await expect(missing()).rejects.toMatchObject({ code: 'FILE_MISSING', path: join(folder, 'data/none.csv') })
  const argument = cluster((path: string) => path)(localFile('no-such-file'))
  await expect(argument).rejects.toMatchObject({ code: 'FILE_MISSING' })
  const twice = nothing.with({
    stage: {
      in: [
        { from: 'data', to: 'x' },
        { from: join(start, 'package.json'), to: 'x/a' },
      ],
    },
  })
  writeFileSync('data/a', 'a')
  await expect(twice()).rejects.toMatchObject({ code: 'OPTION_INVALID' })
})

test('inputs cannot be changed, unless they are copies', async () => {
  writeFileSync('data/a', 'original')
  const change = cluster({ stage: { in: ['data/a'], copy: true, out: ['data/a'] } }, async () => {
    await fs.write('data/a', 'changed')
  })
  await change()
  expect(readFileSync('data/a', 'utf8')).toBe('changed')
  writeFileSync('data/a', 'original')
  const read = cluster({ stage: { in: ['data/a'] } }, async () => [
    await fs.read('data/a', 'utf8'),
    (await fs.stat('data/a')).mode & 0o222,
  ])
  expect(await read()).toEqual(['original', 0])
})

test('outputs that were promised and not written fail the call; patterns may fit nothing', async () => {
  const forgets = cluster({ stage: { out: ['result.bin', '*.csv'] } }, () => 1)
  await expect(forgets()).rejects.toMatchObject({ code: 'OUTPUT_MISSING' })
  expect(await forgets.with({ stage: { out: ['*.csv', 'results/**'] } })()).toBe(1)
})

test('what a failed call has left is fetched when that is asked, also of one that was killed', async () => {
  const fails = cluster({ stage: { out: ['log*.txt'] } }, async (how: string) => {
    await fs.write(`log-${how}.txt`, `as far as ${how}`)
    if (how === 'throw') throw new Error('half way')
    process.kill(process.pid, 'SIGKILL')
    await new Promise(() => {})
  })
  await expect(fails('throw')).rejects.toThrow('half way')
  expect(existsSync('log-throw.txt')).toBe(false)
  const kept = fails.with({ stage: { out: ['log*.txt'], onFailure: true } })
  await expect(kept('throw')).rejects.toThrow('half way')
  expect(readFileSync('log-throw.txt', 'utf8')).toBe('as far as throw')
  const job = kept('kill')
  await expect(job).rejects.toMatchObject({ code: 'JOB_FAILED' })
  expect(readFileSync('log-kill.txt', 'utf8')).toBe('as far as kill')
  expect(await job.outputs()).toEqual([join(folder, 'log-kill.txt')])
})

test('an output that was changed afterwards is not taken for what the job wrote', async () => {
  const write = cluster({ stage: { out: ['a.txt'] } }, async () => {
    await fs.write('a.txt', 'as written')
    // Runs on after the call has returned, and begins once this process has noted what it wrote.
    const { spawn } = await import('node:child_process')
    const changes =
      'while kill -0 "$0" 2>/dev/null; do sleep 0.02; done; for i in 1 2 3 4 5 6 7 8; do echo changed777 >a.txt; sleep 0.1; done'
    spawn('sh', ['-c', changes, String(process.pid)], { detached: true, stdio: 'ignore' }).unref()
  })
  await write().then(
    () => expect(readFileSync('a.txt', 'utf8')).toBe('as written'),
    (error) => expect(error).toMatchObject({ code: 'RESULT_MISSING' }),
  )
})

test('localFile is a path there and here, in arguments and in what they hold', async () => {
  writeFileSync('data/mesh one.txt', 'mesh')
  const mesh = localFile('data/mesh one.txt')
  expect(readFileSync(mesh, 'utf8')).toBe('mesh')
  const read = cluster(async (path: string, config: { files: string[] }) => {
    const texts = [await fs.read(path, 'utf8'), await fs.read(config.files[0]!, 'utf8')]
    return { texts, name: path.split('/').at(-1), path }
  })
  const there = await read(mesh, { files: [mesh] })
  expect(there).toMatchObject({ texts: ['mesh', 'mesh'], name: 'mesh one.txt' })
  expect(there.path.startsWith(workdir)).toBe(true)
  expect(await read.local(mesh, { files: [mesh] })).toMatchObject({ texts: ['mesh', 'mesh'] })
  for (const n of [0, 1, 2]) writeFileSync(`data/${n}`, `number ${n}`)
  const all = await cluster((path: string) => fs.read(path, 'utf8')).map(
    [0, 1, 2].map((n) => localFile(`data/${n}`)),
  )
  expect(all).toEqual(['number 0', 'number 1', 'number 2'])
})

test('remoteFile moves nothing; ~ and variables are those of the node', async () => {
  const echo = cluster({ environment: { variables: { SCRATCH: '/scratch/me' } } }, (path: string) => path)
  expect(await echo(remoteFile('/data/x.h5'))).toBe('/data/x.h5')
  expect(await echo(remoteFile('$SCRATCH/x.h5'))).toBe('/scratch/me/x.h5')
  expect(await echo(remoteFile('~/x.h5'))).toBe(`${process.env['HOME']}/x.h5`)
  await expect(echo(remoteFile('$NO_SUCH/x'))).rejects.toMatchObject({ code: 'FILE_MISSING' })
})

test('the content of inputs is a part of what makes two calls the same', async () => {
  writeFileSync('data/a', 'one')
  const read = cluster({ cache: true, stage: { in: ['data/a'] } }, async () => [
    await fs.read('data/a', 'utf8'),
    process.pid,
  ])
  const first = await read()
  expect(await read()).toEqual(first)
  writeFileSync('data/a', 'two')
  expect((await read())[0]).toBe('two')
  const byArgument = cluster({ cache: true }, async (path: string) => [
    await fs.read(path, 'utf8'),
    process.pid,
  ])
  const before = await byArgument(localFile('data/a'))
  expect(await byArgument(localFile('data/a'))).toEqual(before)
  writeFileSync('data/a', 'three')
  expect((await byArgument(localFile('data/a')))[0]).toBe('three')
  expect(() => cluster({ cache: true, stage: { out: ['x'] } }, () => 1)).toThrow('do not go together')
})

test('another process fetches outputs to where the call was made, or to where it is told', async () => {
  const write = cluster({ stage: { out: ['a.txt'], to: 'got' } }, async () => {
    await new Promise((resolve) => setTimeout(resolve, 300))
    await fs.write('a.txt', 'there')
  })
  const job = write()
  const { id } = job
  await job.detach()
  await close()
  process.chdir(base)
  await attach(id, { to: join(base, 'elsewhere') })
  expect(readFileSync(join(base, 'elsewhere/got/a.txt'), 'utf8')).toBe('there')
  process.chdir(folder)
})

test('a retry that works brings its outputs; bad options are refused at once', async () => {
  const marker = join(folder, 'tried')
  const flaky = cluster(
    { retry: { retries: 2, base: 0.01, on: ['exception'] }, stage: { out: ['a.txt'] } },
    async (mark: string) => {
      await fs.write('a.txt', 'of this try')
      if (await fs.exists(mark)) return 'second'
      await fs.write(mark, '')
      throw new Error('first')
    },
  )
  expect(await flaky(marker)).toBe('second')
  expect(readFileSync('a.txt', 'utf8')).toBe('of this try')
  // @ts-expect-error no such option
  expect(() => cluster({ stage: { input: [] } }, () => 1)).toThrow('stage.input')
  for (const out of ['/abs', 'a/../../b', ''])
    expect(() => cluster({ stage: { out: [out] } }, () => 1)).toThrow('stage.out[0]')
  const both = cluster({ stage: { out: ['*'] }, environment: { cwd: '/tmp' } }, () => 1)
  await expect(both()).rejects.toMatchObject({ code: 'OPTION_INVALID' })
})
