/** The commands about jobs, as built and as processes of their own: the same whatever the place. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, expect, it } from 'vitest'
import type { Profile } from '../../src/core/profile.ts'
import { openResult } from '../../src/index.ts'
import { root } from '../client/helpers.ts'
import { removeFolder } from '../remove-folder.ts'
import { onTerminal, withoutTerminal } from '../transport/program.ts'

const main = `${root}dist/cli/main.js`
const functions = `${root}test/fixtures/programs/functions.ts`
const detachedMap = `${root}test/fixtures/programs/detached-map.ts`

export interface Commands {
  readonly env: NodeJS.ProcessEnv
  readonly farcall: (...args: string[]) => ReturnType<typeof withoutTerminal>
  /** What it prints to stdout; fails where it fails. */
  readonly out: (...args: string[]) => Promise<string>
}

/** Of Kubernetes all that a job has lies in its pods, which go when it is canceled. */
const keepsFiles = ({ scheduler }: Profile) => scheduler !== 'kubernetes'

export function commandsWork(profile: Profile, extra: (commands: Commands) => void = () => {}): void {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-commands-'))
  mkdirSync(join(folder, 'farcall'))
  // The login's own, with no jobs of others.
  const workdir = join(tmpdir(), `farcall-commands-work-${randomUUID()}`)
  const nowhere = { scheduler: 'direct', host: '127.0.0.1', port: 1, user: 'me' }
  writeFileSync(
    join(folder, 'farcall/config.json'),
    JSON.stringify({ defaultProfile: 'there', profiles: { there: { ...profile, workdir }, nowhere } }),
  )
  const env = {
    ...process.env,
    XDG_CONFIG_HOME: folder,
    XDG_STATE_HOME: folder,
    XDG_DATA_HOME: folder,
    NO_COLOR: '1',
  }
  afterAll(() => {
    for (const path of [folder, workdir]) removeFolder(path)
  })
  const farcall = (...args: string[]) => withoutTerminal([main, ...args], env)
  const out = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await farcall(...args)
    if (exitCode !== 0) throw new Error(`farcall ${args.join(' ')}: ${exitCode}\n${stderr}`)
    return stdout
  }
  const submit = async (name: string, ...args: unknown[]) =>
    (await out('submit', functions, '--function', name, '--args', JSON.stringify(args))).trimEnd()
  const stateOf = async (id: string) => JSON.parse(await out('status', id, '--json'))[0].state as string
  const until = async (id: string, state: string) => {
    for (;;) {
      const now = await stateOf(id)
      if (now === state) return
      if (['COMPLETED', 'FAILED', 'CANCELED'].includes(now)) throw new Error(`job ${id} is ${now}`)
    }
  }

  const untilOver = (id: string) =>
    expect
      .poll(() => stateOf(id), { timeout: 60_000, interval: 500 })
      .toMatch(/^(COMPLETED|FAILED|CANCELED)$/)

  it('submit prints an id, and result, logs and status have it, as often as one likes', async () => {
    const id = await submit('square', 7)
    expect(id).toMatch(/^f[a-z2-7]{13}$/)
    expect(await out('result', id)).toBe('49\n')
    expect(await out('result', id.slice(0, 6), '--json')).toBe(
      `${JSON.stringify({ id, state: 'COMPLETED', value: 49 }, null, 2)}\n`,
    )
    expect(await out('logs', id)).toBe('squaring 7\n')
    expect(await farcall('logs', id, '--task', '1')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('has one task, there is no task 1'),
    })
    expect(await farcall('list', '--profile', 'ther')).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining("there is no profile 'ther', did you mean there?"),
    })
    expect(await out('logs', id, '--stderr', '--tail', '1')).toBe('careful 7\n')
    const [details] = JSON.parse(await out('status', id, '--json'))
    expect(details).toMatchObject({ id, name: 'square', profile: 'there', state: 'COMPLETED', items: 1 })
    const byNativeId = JSON.parse(await out('status', details.nativeId, '--json'))
    expect(byNativeId[0].id).toBe(id)
    expect(JSON.parse(await out('history', '--function', 'square', '--json'))).toMatchObject([{ id }])
  })

  it('a job that nobody has taken the result of keeps it, whoever looks at it', async () => {
    const id = await submit('square', 8)
    expect(await out('attach', id)).toBe('64\n')
    const quiet = await submit('wait', 10)
    await until(quiet, 'COMPLETED')
    expect(await out('logs', quiet)).toBe('waiting 10\n')
    expect(await out('explain', quiet)).toContain(`${quiet}: COMPLETED`)
    expect(await out('result', quiet)).toBe('"waited"\n')
  })

  it('without a function, or with a name that is near, it is said which there are', async () => {
    const none = await farcall('submit', functions)
    expect(none).toMatchObject({ exitCode: 2, stdout: '' })
    expect(none.stderr).toContain(
      'exports 6 functions that are marked with cluster: Study.simulate, bytes, square, steps, table, wait',
    )
    const near = await farcall('submit', functions, '--function', 'simulat')
    expect(near).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('did you mean simulate?') })
    const wrong = await farcall('submit', functions, '--function', 'square', '--args', '7')
    expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("--args '[7]'") })
  })

  it('--wait prints the value, of any exported function, and fails as it fails', async () => {
    const wait = (name: string, args: string, ...more: string[]) =>
      farcall('submit', functions, '--function', name, '--args', args, '--wait', ...more)
    expect(await wait('plain', '[2, 3]', '--memory', '300MB')).toMatchObject({ exitCode: 0, stdout: '5\n' })
    expect(await wait('Study.simulate', '[3]', '--quiet')).toMatchObject({
      exitCode: 0,
      stdout: '{\n  "seed": 3,\n  "odd": true\n}\n',
      stderr: 'imported\n',
    })
    expect(await wait('steps', '[2]')).toMatchObject({ exitCode: 0, stdout: '{"step":0}\n{"step":1}\n' })
    const failed = await wait('square', '[-1]')
    expect(failed).toMatchObject({ exitCode: 1, stdout: '' })
    expect(failed.stderr).toMatch(/RangeError: negative: -1\n +at .*functions\.ts:9:20\n +at <job f/)
    const told = await wait('square', '[-1]', '--json')
    expect(told.exitCode).toBe(1)
    expect(JSON.parse(told.stdout)).toMatchObject({
      state: 'FAILED',
      error: { name: 'RangeError', message: 'negative: -1' },
    })
  })

  it('bytes are written as they are; what JSON cannot say is refused, with the way to keep it', async () => {
    const file = join(folder, 'out')
    await out('result', await submit('bytes', 5), '--output', file)
    expect([...readFileSync(file)]).toEqual([7, 7, 7, 7, 7])
    const id = await submit('table')
    const refused = await farcall('result', id)
    expect(refused).toMatchObject({ exitCode: 2, stdout: '' })
    expect(refused.stderr).toContain('the value is a Map, which is not JSON')
    await out('result', id, '--encoded', '--output', file)
    expect(await openResult(file)).toEqual(new Map([['a', 1]]))
  })

  it('a map is listed, items of it are canceled, and what failed of it runs again', async () => {
    const [id] = (await out('run', detachedMap, '--', '0', '-1', '600000', '600000')).split('\n') as [string]
    expect(await out('result', `${id}[0]`)).toBe('0\n')
    const failed = await farcall('result', `${id}[1]`, '--json')
    expect(failed).toMatchObject({ exitCode: 1 })
    expect(JSON.parse(failed.stdout)).toMatchObject({
      error: { name: 'RangeError', message: 'negative: -1' },
    })
    expect(await out('cancel', `${id}[2-3]`)).toBe(`${id}[2,3]\n`)
    await expect.poll(() => stateOf(id), { timeout: 60_000, interval: 500 }).toBe('FAILED')
    const [row] = JSON.parse(await out('list', '--state', 'FAILED', '--json')) as [object]
    expect(row).toMatchObject({ id, items: 4, tasks: 4, done: 1, failed: 3 })
    const whole = await farcall('result', id)
    expect(whole.exitCode).toBe(1)
    expect(whole.stderr).toContain('3 of 4 items failed')
    expect(whole.stderr).toContain('[1] RangeError: negative: -1')
    expect(await farcall('retry', id, '--dry-run')).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: expect.stringContaining(`3 calls of job ${id}: would run again`),
    })
    if (!keepsFiles(profile)) {
      const refused = await farcall('retry', id, '--time', '5m')
      expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
      expect(refused.stderr).toContain('its arguments went into pods that are gone')
      return
    }
    expect(await out('retry', id, '--time', '5m')).toBe(`${id}\n`)
    expect(JSON.parse(await out('status', id, '--json'))[0].attempts).toHaveLength(2)
    expect(await out('cancel', id)).toBe(`${id}\n`)
    // What is asked of all jobs below finds it gone.
    await untilOver(id)
  })

  it('a job that is canceled says so, and keeps its log', async () => {
    const id = await submit('wait', 600_000)
    await until(id, 'ACTIVE')
    expect(await farcall('retry', id)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('is not over'),
    })
    const early = await farcall('result', id, '--no-wait')
    expect(early).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining(`job ${id} is not over (ACTIVE)`),
    })
    expect(await out('cancel', '--all', '--state', 'ACTIVE', '--dry-run')).toBe(`${id}\n`)
    expect(await farcall('cancel', '--all')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--yes'),
    })
    expect(await out('cancel', '--all', '--yes')).toBe(`${id}\n`)
    await expect.poll(() => stateOf(id), { timeout: 60_000, interval: 500 }).toBe('CANCELED')
    expect(await farcall('result', id)).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: expect.stringContaining(`error JOB_CANCELED: job ${id}`),
    })
    if (keepsFiles(profile)) expect(await out('logs', id)).toBe('waiting 600000\n')
  })

  it('logs --follow ends with the job, and Ctrl-C leaves it running', async () => {
    const id = await submit('wait', 600_000)
    await until(id, 'ACTIVE')
    const child = spawn(process.execPath, [main, 'logs', id, '--follow'], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = new Promise((resolve) => child.on('exit', resolve))
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    expect((await lines.next()).value).toBe('waiting 600000')
    child.kill('SIGINT')
    expect(await ended).toBe(130)
    expect(await stateOf(id)).toBe('ACTIVE')
    await out('cancel', id)
    const short = await submit('wait', 3_000)
    expect(await out('logs', short, '--follow')).toBe('waiting 3000\n')
    expect(await out('result', short)).toBe('"waited"\n')
  })

  it('a command behind -- runs as it is, with the options before it', async () => {
    const done = await farcall('submit', '--time', '5m', '--wait', '--', 'echo', '--json', 'two words')
    expect(done.exitCode).toBe(0)
    expect(JSON.parse(done.stdout)).toMatchObject({ exitCode: 0, stdoutTail: '--json two words\n' })
    const id = (await out('submit', '--quiet', '--', 'sh', '-c', 'echo out; exit 3')).trimEnd()
    await expect.poll(() => stateOf(id), { timeout: 60_000, interval: 500 }).toBe('FAILED')
    // Nobody has followed it: its files tell why, and no result was read.
    expect(JSON.parse(await out('status', id, '--json'))).toMatchObject([
      { reason: 'exit-code', message: 'sh ended with exit code 3' },
    ])
    expect(await out('explain', id)).toBe(`${id}: FAILED exit-code\n  sh ended with exit code 3\n`)
    expect(await out('logs', id)).toBe('out\n')
    expect(await farcall('result', id)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('exit code 3'),
    })
    expect(await farcall('submit', 'one.ts', 'two.ts')).toMatchObject({ exitCode: 2 })
  })

  it('--dry-run sends nothing', async () => {
    const before = JSON.parse(await out('list', '--all', '--json')).length
    const script = await out(
      'submit',
      functions,
      '--function',
      'square',
      '--args',
      '[1]',
      '--dry-run',
      '--time',
      '7m',
    )
    // A pod's script comes behind the Job that it is in.
    const first = profile.scheduler === 'kubernetes' ? /^apiVersion: batch\/v1\n/ : /^#!\/bin\/sh\n/
    expect(script).toMatch(first)
    const asJson = await out(
      'submit',
      functions,
      '--function',
      'square',
      '--args',
      '[1]',
      '--dry-run',
      '--json',
    )
    expect(JSON.parse(asJson).script).toMatch(first)
    expect(JSON.parse(await out('list', '--all', '--json'))).toHaveLength(before)
  })

  it('list --watch tells changes in a pipe, and draws a table on a terminal, no wider than that', async () => {
    const child = spawn(process.execPath, [main, 'list', '--watch', '1'], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const ended = new Promise((resolve) => child.on('exit', resolve))
    await lines.next()
    const id = await submit('wait', 1_000)
    const seen: string[] = []
    for (let line = await lines.next(); !line.done; line = await lines.next()) {
      if (line.value.includes(id)) seen.push(line.value as string)
      if (line.value.includes(id) && line.value.includes('COMPLETED')) break
    }
    child.kill('SIGTERM')
    expect(await ended).toBe(130)
    expect(seen.at(-1)).toMatch(
      new RegExp(`^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d  ${id}  wait  COMPLETED$`),
    )
    const { screen, exitCode } = await onTerminal(
      [main, 'list', '--watch', '1'],
      [[/Ctrl-C ends it[\s\S]*Ctrl-C ends it/, '\x03']],
      { env, columns: 80 },
    )
    expect(exitCode).toBe(130)
    const shown = stripVTControlCharacters(screen).split(/\r?\n/)
    expect(shown.some((line) => line.startsWith('ID '))).toBe(true)
    expect(shown.some((line) => line.startsWith(id) && line.includes('COMPLETED'))).toBe(true)
    expect(shown.filter((line) => line.length > 80)).toEqual([])
  })

  it('a place that cannot be reached ends a submission with 4', async () => {
    const { exitCode, stdout, stderr } = await farcall(
      'submit',
      functions,
      '--function',
      'square',
      '--args',
      '[1]',
      '--profile',
      'nowhere',
    )
    expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: '' })
    expect(stderr).toContain('error HOST_UNREACHABLE')
  })

  it('a job that nobody knows is told with the nearest one, and ends with 2', async () => {
    const id = await submit('square', 2)
    const near = `${id.slice(0, 8)}${id[8] === 'a' ? 'b' : 'a'}${id.slice(9)}`
    const told = await farcall('status', near.slice(0, 12))
    expect(told).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(`did you mean ${id}`) })
    await out('result', id)
  })

  extra({ env, farcall, out })
}
