import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  attach,
  close,
  cluster,
  command,
  configure,
  JobFailedError,
  jobs,
  localFile,
  type Profile,
} from '../../src/index.ts'
import { isAlive, processesWhere, until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { jobProcesses } from './left.ts'

const start = process.cwd()
const base = mkdtempSync(join(tmpdir(), 'farcall-command-'))
const workdir = join(base, 'work')
let folder: string
let count = 0

const here: Profile = { scheduler: 'direct', workdir, queryInterval: '1s' }

beforeEach(() => {
  folder = join(base, `c${count++}`)
  mkdirSync(folder)
  process.chdir(folder)
  configure({
    profiles: {
      here,
      elsewhere: { ...here, environment: { cwd: base } },
      kept: { ...here, keep: 'all' },
    },
    defaultProfile: 'here',
  })
})
afterEach(async () => {
  await close()
  expect(await until(() => jobProcesses(workdir).length === 0, 10_000), 'no process is left').toBe(true)
})
afterAll(() => {
  process.chdir(start)
  removeFolder(base)
})

async function failed(promise: PromiseLike<unknown>): Promise<JobFailedError> {
  const error = await promise.then(
    (value) => expect.fail(`it gave ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(JobFailedError)
  return error as JobFailedError
}

/** Numbers that a program writes into a file, once they are there. */
async function numbersIn(file: string, many: number): Promise<number[]> {
  const read = () =>
    existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number) : []
  expect(await until(() => read().length === many, 20_000), `${file} has ${many} numbers`).toBe(true)
  return read()
}
const gone = (pids: readonly number[]) => until(() => !pids.some(isAlive), 10_000)

describe('what a command is given', () => {
  test('its words exactly as they are', async () => {
    const words = ['two words', 'it\'s $HOME `x` \\ "q"', '', '*', '-n', 'ünï', 'line\nbreak', '{{ x }}']
    const { stdoutTail } = await command(['printf', '<%s>', ...words, 3, 0.5])
    expect(stdoutTail).toBe([...words, '3', '0.5'].map((word) => `<${word}>`).join(''))
  })

  test('a folder of its own, unless the environment says another one', async () => {
    const [one, two] = await Promise.all([command(['pwd']), command(['pwd'])])
    expect(one.stdoutTail).toMatch(/\/work\.0\n$/)
    expect(one.stdoutTail).not.toBe(two.stdoutTail)
    expect((await command(['pwd'], { environment: { cwd: folder } })).stdoutTail).toBe(`${folder}\n`)
    expect((await command(['pwd'], { profile: 'elsewhere' })).stdoutTail).toBe(`${base}\n`)
  })

  test('variables, setup lines and PATH, and nothing on stdin', async () => {
    writeFileSync('tool', '#!/bin/sh\necho "$GREETING, $NAME"; cat\n', { mode: 0o755 })
    const environment = {
      variables: { GREETING: 'good day' },
      setup: ['export NAME="$USER-of-${#GREETING}"', 'USER=me', 'export NAME="me $NAME"'],
      path: { prepend: [folder] },
    }
    expect((await command(['tool'], { environment })).stdoutTail).toMatch(/^good day, me .*-of-8\n$/)
  })

  test('files that go along, and files that come back', async () => {
    writeFileSync('data.txt', 'b\na\n')
    const job = command(
      ['sh', '-c', 'sort data.txt >sorted.txt; cp "$1" copy', 'sh', localFile('data.txt')],
      {
        stage: { in: ['data.txt'], out: ['sorted.txt', 'copy'], to: 'out' },
      },
    )
    const { files } = await job
    expect([...files].sort()).toEqual([join(folder, 'out/copy'), join(folder, 'out/sorted.txt')])
    expect(readFileSync('out/sorted.txt', 'utf8')).toBe('a\nb\n')
    expect(readFileSync('out/copy', 'utf8')).toBe('b\na\n')
    expect([...(await job.outputs())].sort()).toEqual([...files].sort())
  })

  test('what other jobs give, as words', async () => {
    const name = cluster(() => 'from a function')
    const size = cluster((n: number) => n * 2)
    expect((await command(['echo', name(), size(21)])).stdoutTail).toBe('from a function 42\n')
    const list = cluster(() => [1, 2])
    // @ts-expect-error a list is no word
    await expect(command(['echo', list()])).rejects.toThrow(
      'argv[1] is object: a job among the arguments of a command has to give text or a number',
    )
  })
})

describe('what comes of it', () => {
  test('the ends of both outputs, at a whole character', async () => {
    const print = `i=0; while [ $i -lt 2000 ]; do printf 'é%s%063d\\n' '' $i; i=$((i + 1)); done`
    const { stdoutTail, stderrTail } = await command(['sh', '-c', `${print}; echo note >&2`])
    const bytes = Buffer.byteLength(stdoutTail)
    expect(bytes).toBeLessThanOrEqual(64 * 1024)
    expect(bytes).toBeGreaterThan(64 * 1024 - 4)
    expect(stdoutTail).not.toContain('\ufffd')
    expect(stdoutTail.endsWith('1999\n')).toBe(true)
    expect(stderrTail).toBe('note\n')
  })

  test('the log, while it runs', async () => {
    const go = join(folder, 'go')
    const job = command(['sh', '-c', `echo one; until [ -e ${go} ]; do sleep 0.05; done; echo two`])
    const lines: string[] = []
    for await (const line of job.logs({ follow: true })) {
      lines.push(line)
      if (line === 'one') writeFileSync(go, '')
    }
    expect(lines).toEqual(['one', 'two'])
    await job
  })

  test('an exit code other than 0 is a failure, with what it said', async () => {
    const job = command(['sh', '-c', 'echo out; echo "no such sample" >&2; exit 3'])
    const error = await failed(job)
    expect(error).toMatchObject({ code: 'JOB_FAILED', reason: 'exit-code', exitCode: 3 })
    expect(error.stderrTail).toBe('no such sample')
    expect(error.message).toMatch(/^job f\w+ \(sh\) ended with exit code 3\n {2}stderr: no such sample\n/)
    expect(error.stack).toContain('command.local.test.ts')
    expect(job.status()).toMatchObject({ state: 'FAILED', reason: 'exit-code', exitCode: 3 })
  })

  test('with check: false it is a result; what did not start is none', async () => {
    expect(await command(['sh', '-c', 'exit 3'], { check: false })).toMatchObject({ exitCode: 3 })
    expect((await failed(command(['no-such-program'], { check: false }))).reason).toBe('launch-failed')
  })

  test('a signal', async () => {
    const error = await failed(command(['sh', '-c', 'kill -SEGV $$']))
    expect(error).toMatchObject({ reason: 'signal', status: { signal: 11 } })
  })

  test('what cannot be started is told from what fails', async () => {
    writeFileSync('plain', 'echo\n', { mode: 0o644 })
    writeFileSync('dos', '#!/bin/sh\r\necho\r\n', { mode: 0o755 })
    writeFileSync('odd', '#!/no/such/shell\n', { mode: 0o755 })
    const start = (argv: string[]) => failed(command(argv, { environment: { cwd: folder } }))
    const [none, path, plain, dos, odd, long, line] = await Promise.all([
      start(['no-such-program', 'x']),
      start(['./none']),
      start(['./plain']),
      start(['./dos']),
      start(['./odd']),
      start(['echo', ...Array.from({ length: 40 }, () => 'x'.repeat(100_000))]),
      start(['echo hello']),
    ])
    for (const error of [none, path, plain, dos, odd, long, line]) expect(error.reason).toBe('launch-failed')
    expect(none.exitCode).toBe(127)
    expect(none.message).toMatch(/there is no command no-such-program on .*PATH is .*:/)
    expect(path.message).toContain(`there is no ./none on `)
    expect(path.message).toContain(`(in ${folder})`)
    expect(plain.exitCode).toBe(126)
    expect(plain.message).toContain('./plain cannot be executed')
    expect(plain.hint).toContain('chmod +x')
    expect(dos.hint).toContain('Windows line ends')
    expect(odd.message).toContain('"#!/no/such/shell"')
    expect(long.message).toMatch(/longer than the system takes: 4000\d+ bytes/)
    expect(line.hint).toContain("['echo', 'hello']")
  })

  test('what a shell did not find is told as the shell tells it', async () => {
    const error = await failed(command(['sh', '-c', 'no-such-program']))
    expect(error).toMatchObject({ reason: 'exit-code', exitCode: 127 })
    expect(error.hint).toContain('127')
    expect(error.stderrTail).toContain('not found')
  })

  test('outputs that it did not write', async () => {
    await expect(command(['true'], { stage: { out: ['result.csv'] } })).rejects.toMatchObject({
      code: 'OUTPUT_MISSING',
      message: expect.stringContaining('stage.out: the command has not written result.csv'),
    })
  })
})

describe('a job as any other', () => {
  test('attach gives the same, of what succeeded and of what failed', async () => {
    const profile = 'kept'
    const stage = { out: ['made.txt'] }
    const job = command(['sh', '-c', 'echo out; echo made >made.txt'], { profile, stage })
    const bad = command(['sh', '-c', 'echo bad >&2; exit 5'], { profile })
    const [result] = await Promise.all([job, failed(bad)])
    rmSync('made.txt')
    expect(await attach(job.id)).toEqual(result)
    expect(readFileSync('made.txt', 'utf8')).toBe('made\n')
    expect(await failed(attach(bad.id))).toMatchObject({
      reason: 'exit-code',
      exitCode: 5,
      stderrTail: 'bad',
    })
  })

  test('it is listed by the name of its program, and by its tags', async () => {
    await command(['/bin/echo', 'x'], { tags: ['t1'] })
    expect(await jobs({ tag: 't1' })).toMatchObject([{ name: 'echo' }])
    await command(['/bin/echo', 'x'], { tags: ['t2'], name: 'mine' })
    expect(await jobs({ tag: 't2' })).toMatchObject([{ name: 'mine' }])
  })

  test('it is tried again', async () => {
    const seen = join(folder, 'seen')
    const job = command(['sh', '-c', `echo x >>${seen}; [ $(wc -l <${seen}) = 3 ]`], {
      retry: { retries: 4, base: '10ms', on: ['exit-code'] },
    })
    expect(await job).toMatchObject({ exitCode: 0 })
    expect(job.attempts).toHaveLength(3)
    expect(job.attempts[0]).toMatchObject({ status: { reason: 'exit-code', exitCode: 1 } })
  })

  test('with cache it runs once for the same words, files and environment', async () => {
    const seen = join(folder, 'seen')
    writeFileSync('in.txt', 'one')
    const run = (word: string, name = 'a') =>
      command(['sh', '-c', `echo x >>${seen}; cat in.txt; echo "$1"`, 'sh', word], {
        cache: true,
        stage: { in: ['in.txt'] },
        environment: { variables: { NAME: name } },
      })
    const runs = () => readFileSync(seen, 'utf8').length / 2
    const first = await run('a')
    expect(await run('a')).toEqual(first)
    expect(runs()).toBe(1)
    await run('b')
    await run('a', 'b')
    writeFileSync('in.txt', 'two')
    expect((await run('a')).stdoutTail).toBe('twoa\n')
    expect(runs()).toBe(4)
  })

  test('usage counts what it used', async () => {
    const program = `import time
x = bytearray(200_000_000)
while time.process_time() < 2.5: pass`
    const job = command(['python3', '-c', program])
    await job
    const { memory, cpu } = await job.usage()
    expect(memory.used).toBeGreaterThan(200e6)
    expect(cpu.used).toBeGreaterThan(2)
  })
})

describe('many', () => {
  test('given in one turn they are one array job; those with other options are not', async () => {
    const all = [1, 2, 3].map((n) => command(['echo', n], { cores: 1 }))
    const other = command(['echo', 4], { cores: 1, tags: ['other'] })
    const results = await Promise.all([...all, other])
    expect(results.map(({ stdoutTail }) => stdoutTail)).toEqual(['1\n', '2\n', '3\n', '4\n'])
    const ids = all.map(({ id }) => id.replace(/\[.*/, ''))
    expect(new Set(ids).size).toBe(1)
    expect(other.id).not.toContain(ids[0])
  })

  test('a map gives the words of each item', async () => {
    const results = await command.map(['a', 'b', 'c'], (word, index) => ['echo', word, index], { chunk: 2 })
    expect(results.map(({ stdoutTail }) => stdoutTail)).toEqual(['a 0\n', 'b 1\n', 'c 2\n'])
    function* lazy() {
      yield 1
      yield 2
    }
    const more = await command.map(lazy(), (n) => ['echo', n])
    expect(more.map(({ stdoutTail }) => stdoutTail)).toEqual(['1\n', '2\n'])
  })

  test('one that fails lets the others of its chunk run', async () => {
    const array = command.map([0, 1, 2], (n) => ['sh', '-c', `echo ${n}; exit ${n % 2}`], { chunk: 3 })
    const settled = await array.settled()
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(settled[1]).toMatchObject({ reason: { reason: 'exit-code', exitCode: 1, index: 1 } })
    expect(settled[2]).toMatchObject({ value: { stdoutTail: '2\n' } })
  })

  test('side by side each has the end of its own output', async () => {
    const results = await command.map(
      ['a', 'b', 'c', 'd'],
      (word) => ['sh', '-c', `for i in 1 2 3; do echo ${word} $i; sleep 0.05; done; echo ${word} >&2`],
      { cores: 2, coresPerItem: 1, chunk: 4 },
    )
    expect(results.map(({ stdoutTail }) => stdoutTail)).toEqual(
      ['a', 'b', 'c', 'd'].map((word) => [1, 2, 3].map((n) => `${word} ${n}\n`).join('')),
    )
    expect(results.map(({ stderrTail }) => stderrTail)).toEqual(['a\n', 'b\n', 'c\n', 'd\n'])
  })
})

describe('ending it', () => {
  /** Notes each TERM that the program and a child of it get, and is then slow to end; writes both process ids once both listen. */
  const slow = (file: string, rest: string) =>
    `(trap 'echo child >>${file}.got' TERM; : >${file}.listens; while :; do sleep 0.1; done) & child=$!; trap 'echo parent >>${file}.got; ${rest}' TERM; until [ -e ${file}.listens ]; do sleep 0.05; done; echo $child >>${file}; echo $$ >>${file}; while :; do sleep 0.1; done`

  test('a cancel reaches all of its process group, once, and leaves nothing', async () => {
    const file = join(folder, 'pids')
    const job = command(['sh', '-c', slow(file, 'sleep 1; exit 0')])
    job.catch(() => {})
    const pids = await numbersIn(file, 2)
    await job.cancel('enough')
    await expect(job).rejects.toMatchObject({ code: 'JOB_CANCELED' })
    expect(await gone(pids)).toBe(true)
    expect(readFileSync(`${file}.got`, 'utf8').split('\n').filter(Boolean).sort()).toEqual([
      'child',
      'parent',
    ])
  })

  test('what does not listen to TERM is killed', async () => {
    const file = join(folder, 'pids')
    const job = command([
      'sh',
      '-c',
      `trap '' TERM; sleep 600 & echo $! $$ | tr ' ' '\\n' >${file}; wait; sleep 600`,
    ])
    job.catch(() => {})
    const pids = await numbersIn(file, 2)
    await job.cancel()
    expect(await gone(pids)).toBe(true)
  })

  test('the time limit ends all of it', async () => {
    const file = join(folder, 'pids')
    const job = command(['sh', '-c', slow(file, 'exit 0')], { time: 8 })
    const error = await failed(job)
    expect(error.reason).toBe('timeout')
    expect(await gone(await numbersIn(file, 2))).toBe(true)
  })

  test('it hears the warning before the time limit, and may end well', async () => {
    const job = command(['sh', '-c', `trap 'echo warned; exit 0' USR1; while :; do sleep 0.1; done`], {
      time: 60,
      // 6 s after the start: it must listen by then.
      signal: 'USR1@54',
    })
    expect(await job).toMatchObject({ exitCode: 0, stdoutTail: 'warned\n' })
  })

  test('what it leaves running in the background ends with it', async () => {
    const file = join(folder, 'pids')
    await command(['sh', '-c', `sleep 600 & echo $! >${file}`])
    expect(await gone(await numbersIn(file, 1))).toBe(true)
  })

  test('it ends when the process that runs it is killed', async () => {
    const file = join(folder, 'pids')
    const job = command(['sh', '-c', `sleep 600 & echo $! $$ | tr ' ' '\\n' >${file}; wait`])
    const ended = failed(job)
    const pids = await numbersIn(file, 2)
    const [node] = processesWhere((argv) => argv.includes(`\0${job.id}\x001\x000`))
    expect(node).toBeDefined()
    process.kill(node!, 'SIGKILL')
    expect((await ended).reason).toBe('signal')
    expect(await gone(pids)).toBe(true)
  })
})

test('words and options that cannot be are refused before anything is sent', () => {
  const refused = (argv: unknown, options?: unknown) => () => command(argv as string[], options as object)
  expect(refused('ls -l')).toThrow(/expected a list of words, got "ls -l"\n {2}hint: command\(\['python'/)
  expect(refused([])).toThrow('the first word names the program')
  expect(refused(['a', 'b\0'])).toThrow('argv[1] holds a NUL character')
  expect(refused(['a', undefined])).toThrow('argv[1]: expected text, a number or a job, got undefined')
  expect(refused(['a', Number.NaN])).toThrow('got NaN')
  expect(refused(['a'], { parallel: 'auto' })).toThrow('parallel is an option of functions')
  expect(refused(['a'], { chekc: false })).toThrow('chekc: there is no such option')
  expect(refused(['a'], { check: 'no' })).toThrow('check: expected true or false')
  expect(() => command.map([1], ['echo'] as never)).toThrow('expected a function that gives the words')
})

test('inside a job it is refused, with the reason', async () => {
  await expect(cluster(() => command(['true']))()).rejects.toMatchObject({ code: 'CALLED_IN_JOB' })
})

test('the script is shown, and nothing is sent', async () => {
  const script = await command.script(['echo'], { cores: 2 })
  expect(script).toContain('farcall_cores=2')
})
