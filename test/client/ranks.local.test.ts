import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  close,
  cluster,
  configure,
  currentTask,
  fs,
  type Job,
  JobFailedError,
  lastCheckpoint,
  localFile,
  onWarning,
  progress,
} from '../../src/index.ts'
import { until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'

const scratch = mkdtempSync(join(tmpdir(), 'farcall-ranks-'))
const start = process.cwd()
const workdir = join(scratch, 'work')
/** Open MPI runs as root only for those who say so twice. */
const variables = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' }

beforeAll(() => {
  process.chdir(scratch)
  const here = { scheduler: 'direct', workdir, queryInterval: '1s', environment: { variables } } as const
  configure({ profiles: { here, slurm: { scheduler: 'slurm', workdir } }, defaultProfile: 'here' })
})
afterAll(async () => {
  await close()
  process.chdir(start)
  removeFolder(scratch)
})

const forever = () => new Promise<never>(() => setInterval(() => {}, 1000))
const runs = (pid: number) =>
  existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
const gone = async (pids: readonly number[]) => {
  expect(pids.length).toBeGreaterThan(0)
  expect(await until(() => !pids.some(runs), 20_000)).toBe(true)
}

async function failed(job: PromiseLike<unknown>): Promise<JobFailedError> {
  const error = await job.then(
    (value) => expect.fail(`it gave ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(JobFailedError)
  return error as JobFailedError
}

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const list: string[] = []
  for await (const line of lines) list.push(line)
  return list
}

/** The pids that ranks have printed, once each of them has. */
async function pidsOf(job: Job<unknown>, size: number): Promise<number[]> {
  let pids: number[] = []
  const look = async () => {
    // Before a rank has begun it has no log.
    const logs = Array.from({ length: size }, (_, rank) => all(job.logs({ rank })).catch(() => []))
    pids = (await Promise.all(logs))
      .flat()
      .map(Number)
      .filter((pid) => pid > 0)
    return pids.length === size
  }
  expect(await until(look, 20_000)).toBe(true)
  return pids
}

const look = () => {
  const { rank, size, localRank, cores, memory, random } = currentTask()
  return { rank, size, localRank, cores, memory, number: random(), heap: process.execArgv.join() }
}

describe.each(['multiple', 'mpirun'] as const)('several processes on this machine, by %s', (launcher) => {
  const three = { tasksPerNode: 3, launcher } as const

  it('gives the value of rank 0, or with gather: all those of each by its rank', async () => {
    const asked = { ...three, memory: '900MB', cores: 1 } as const
    const job = cluster({ ...asked, gather: 'all' }, look)()
    const ranks = await job
    expect(ranks.map(({ rank }) => rank)).toEqual([0, 1, 2])
    expect(ranks.map(({ localRank }) => localRank)).toEqual([0, 1, 2])
    const each = { size: 3, cores: 1, memory: 300 * 2 ** 20, heap: '--max-old-space-size=255' }
    for (const one of ranks) expect(one).toMatchObject(each)
    expect(new Set(ranks.map(({ number }) => number)).size).toBe(3)
    // What only rank 0 gives away may be anything in the others.
    const values = cluster(asked, () =>
      currentTask().rank === 0 ? 'mine' : () => 'a function cannot travel',
    )
    expect(await values()).toBe('mine')
    const { memory, cpu } = await job.usage()
    expect(memory.used).toBeGreaterThan(100 * 2 ** 20)
    expect(cpu).toMatchObject({ cores: 3 })
    expect(cpu.used).toBeGreaterThan(0.1)
  })

  it('runs each item of a chunk by all ranks, and one that fails ends its own ranks alone', async () => {
    const options = { ...three, gather: 'all' } as const
    const sum = cluster(options, async (n: number) => {
      const { rank, item } = currentTask()
      progress(0.5, `rank ${rank}`)
      if (n === 1 && rank === 2) throw new RangeError('not this one')
      // A loop that hears of nothing.
      if (n === 1) for (;;) Math.sqrt(n)
      return 10 * item + rank
    })
    const [first, second, third] = await sum.map([0, 1, 2], { chunk: 3 }).settled()
    expect(first).toEqual({ status: 'fulfilled', value: [0, 1, 2] })
    expect(third).toEqual({ status: 'fulfilled', value: [20, 21, 22] })
    const { reason } = second as PromiseRejectedResult
    expect(reason).toBeInstanceOf(RangeError)
    expect(reason).toMatchObject({ message: 'not this one', rank: 2, index: 1 })
  })

  it('tells which rank was killed, what it said last, and which ended itself', async () => {
    const end = cluster(three, async (how: 'kill' | 'exit') => {
      const { rank } = currentTask()
      if (rank === 2) console.error('so long')
      if (rank === 2 && how === 'kill') process.kill(process.pid, 'SIGKILL')
      if (rank === 2) process.exit(7)
      await forever()
    })
    const killed = await failed(end('kill'))
    expect(killed).toMatchObject({ reason: 'signal', status: { signal: 9 } })
    expect(killed.message).toMatch(/rank 2 was ended by signal 9/)
    expect(killed.stderrTail).toMatch(/last words of rank 2:\nso long/)
    const exited = await failed(end('exit'))
    expect(exited).toMatchObject({ reason: 'exit-code', status: { exitCode: 7 } })
    expect(exited.message).toMatch(/rank 2 on .*process\.exit\(7\) was called/)
    expect(exited.stack).toMatch(/ranks\.local\.test\.ts/)
  })

  it('leaves no rank when it is canceled, when its time is over, and when what leads it is killed', async () => {
    const wait = cluster(three, async () => {
      console.log(process.pid)
      await forever()
    })
    const canceled = wait()
    canceled.catch(() => {})
    const pids = await pidsOf(canceled, 3)
    await canceled.cancel()
    await gone(pids)
    const late = wait.with({ time: 10 })()
    late.catch(() => {})
    const others = await pidsOf(late, 3)
    expect(await failed(late)).toMatchObject({ reason: 'timeout' })
    await gone(others)
    if (launcher === 'mpirun') return
    const headless = wait()
    headless.catch(() => {})
    const last = await pidsOf(headless, 3)
    const stat = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
    const parent = (pid: number) => Number(stat(pid)[1])
    process.kill(parent(parent(last[0]!)), 'SIGKILL')
    expect(await failed(headless)).toMatchObject({ reason: 'signal' })
    await gone(last)
  })

  it('hands the environment on as it is', async () => {
    const odd = 'two\nlines; $HOME "quoted" ü='
    const seen = cluster(
      { ...three, gather: 'all', environment: { variables: { ODD: odd }, umask: '027' } },
      () => ({
        odd: process.env['ODD'],
        umask: process.umask(),
        cwd: process.cwd(),
        own: Object.keys(process.env).filter((name) => name.startsWith('FARCALL_RANK')),
      }),
    )
    const ranks = await seen()
    const { cwd } = ranks[0]!
    expect(ranks).toEqual([0, 1, 2].map(() => ({ odd, umask: 0o027, cwd, own: [] })))
  })

  it('has one working directory for the ranks of a call', async () => {
    writeFileSync('field.txt', 'abc')
    const job = cluster({ ...three, stage: { out: ['part.*', '.files/**'] } }, async (path: string) => {
      const { rank } = currentTask()
      await fs.write(`part.${rank}`, `${await fs.read(path, 'utf8')}${rank}`)
      return path.split('/').at(-1)
    })(localFile('field.txt') as unknown as string)
    expect(await job).toBe('field.txt')
    const left = [...(await job.outputs())].map((path) => readFileSync(path, 'utf8')).sort()
    expect(left).toEqual(['abc0', 'abc1', 'abc2'])
  })
})

it('ranks save their states at a warning, each its own, and go on from there', async () => {
  const options = { tasksPerNode: 2, gather: 'all', time: 15, signal: 'USR1@9', retry: 1 } as const
  const count = cluster(options, async () => {
    const { rank, attempt } = currentTask()
    const before = lastCheckpoint() as number | undefined
    if (before !== undefined) return { rank, attempt, before }
    onWarning(() => 100 + rank)
    await forever()
  })
  expect(await count()).toEqual([
    { rank: 0, attempt: 2, before: 100 },
    { rank: 1, attempt: 2, before: 101 },
  ])
})

it('a launcher that is not there is named, with a way out', async () => {
  // All that there is, but for mpirun.
  const folder = join(scratch, 'bin')
  mkdirSync(folder)
  const folders = (process.env['PATH'] ?? '').split(':').filter(existsSync)
  const programs = new Map(
    folders.flatMap((from) => readdirSync(from).map((name) => [name, join(from, name)])),
  )
  for (const [name, path] of programs) if (!/^(mpi|orte)/.test(name)) symlinkSync(path, join(folder, name))
  const environment = { setup: [`PATH=${folder}`] }
  const job = cluster({ tasksPerNode: 2, launcher: 'mpirun', environment }, () => 1)()
  const error = await failed(job)
  expect(error).toMatchObject({ reason: 'launch-failed' })
  expect(error.message).toMatch(
    /the launcher mpirun could not be started on .*environment: \{ modules.*'multiple'/,
  )
})

it('is the same call for the cache only with as many ranks', async () => {
  const sizes = cluster({ cache: true }, () => [currentTask().size, Math.random()])
  const two = sizes.with({ tasksPerNode: 2 })
  const [one, first, again] = [await sizes(), await two(), await two()]
  expect([one[0], first[0]]).toEqual([1, 2])
  expect(again).toEqual(first)
})

it('gather: all gives an array where there is one process, too', async () => {
  const one = cluster({ gather: 'all' }, (n: number) => n + currentTask().size)
  expect(await one(1)).toEqual([2])
  expect(await one.local(1)).toEqual([2])
  const inside = cluster(async () => [await one(5), await one.map([6])])
  expect(await inside()).toEqual([[6], [[7]]])
})

describe('what cannot be combined is refused before anything is sent', () => {
  const rank = () => currentTask().rank
  const two = { tasksPerNode: 2 } as const
  const cases: [string, () => unknown, RegExp][] = [
    ['several nodes here', () => cluster({ nodes: 2 }, rank)(), /direct cannot express nodes: 2/],
    [
      'srun without Slurm',
      () => cluster({ ...two, launcher: 'srun' }, rank)(),
      /srun is Slurm's, and the scheduler is direct/,
    ],
    [
      'multiple over nodes',
      () => cluster({ nodes: 2, launcher: 'multiple', profile: 'slurm' }, rank).script(),
      /multiple starts processes on one node, and nodes is 2/,
    ],
    [
      'an unknown launcher',
      () => cluster({ launcher: 'aprun' as 'srun' }, rank),
      /launcher: expected 'auto'/,
    ],
    ['gather by another word', () => cluster({ gather: 'some' as 'all' }, rank), /gather: expected 'all'/],
    [
      'gather later',
      () => cluster(rank).with({ gather: 'all' } as object),
      /gather: it makes another function/,
    ],
    [
      'gather of a map',
      () => cluster(rank).map([1] as never, { gather: 'all' } as object),
      /gather: it makes another function/,
    ],
    ['gather of a method', () => cluster({ gather: 'all' } as object), /gather: a marked method gives/],
    [
      'loops that are split',
      () => cluster({ ...two, parallel: 'auto' }, rank)(),
      /parallel: 'auto' and several processes/,
    ],
    [
      'items side by side',
      () => cluster({ ...two, cores: 2, coresPerItem: 1 }, rank).map([1, 2] as never),
      /coresPerItem and gpusPerItem and several processes/,
    ],
    [
      'a stream',
      () =>
        cluster(two, function* () {
          yield rank()
        })().result,
      /a generator function and several processes/,
    ],
  ]
  it.each(cases)('%s', async (_, call, words) => {
    const before = existsSync(join(workdir, 'jobs')) ? readdirSync(join(workdir, 'jobs')) : []
    await expect((async () => call())()).rejects.toThrow(words)
    expect(existsSync(join(workdir, 'jobs')) ? readdirSync(join(workdir, 'jobs')) : []).toEqual(before)
  })
})
