/** farcall shell and forward against a job that serves HTTP: the same whatever the place. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Profile } from '../../src/core/profile.ts'
import { shellQuote } from '../../src/core/shell.ts'
import { type Program, root, runProgram } from '../client/helpers.ts'
import { freePorts, processesWhere } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { onTerminal, withoutTerminal } from '../transport/program.ts'

const main = `${root}dist/cli/main.js`

export interface Reached {
  /** The job's own id. */
  readonly id: () => string
  readonly env: NodeJS.ProcessEnv
}

export function reachesJobs(profile: Profile, extra: (job: Reached) => void = () => {}): void {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-reach-'))
  mkdirSync(join(folder, 'farcall'))
  writeFileSync(
    join(folder, 'farcall/config.json'),
    JSON.stringify({ defaultProfile: 'there', profiles: { there: profile } }),
  )
  const env = { ...process.env, XDG_CONFIG_HOME: folder, XDG_STATE_HOME: folder, XDG_DATA_HOME: folder }
  let port = 0
  /** For forward, on this side. */
  let own = 0
  let id = ''
  let job: Program

  const serve = async (onPort: number, host: string) => {
    const program = runProgram('serves.ts', [String(onPort), host], env as Record<string, string>)
    const line = await program.line()
    if (!line?.startsWith('running ')) throw new Error(`no job: ${line} ${program.stderr()}`)
    return { program, id: line.slice('running '.length) }
  }

  beforeAll(async () => {
    ;[port, own] = (await freePorts(2)) as [number, number]
    ;({ program: job, id } = await serve(port, '0.0.0.0'))
  })
  afterAll(() => removeFolder(folder))

  /** `farcall forward …`, and the address that it prints. */
  const forward = async (
    ...args: string[]
  ): Promise<{ child: ChildProcess; url: string; words: () => string; ended: Promise<number | null> }> => {
    const child = spawn(process.execPath, [main, 'forward', ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let words = ''
    child.stderr!.on('data', (chunk) => {
      words += chunk
    })
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
    const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
    const { value: url } = await lines.next()
    if (!url) throw new Error(`farcall forward: ${words}`)
    return { child, url: url as string, words: () => words, ended }
  }
  const ask = async (url: string, path: string) => (await fetch(`${url}${path}`)).text()

  it('forward leads to the port of the job until Ctrl-C, and a second one takes another port', async () => {
    await expect
      .poll(async () => (await withoutTerminal([main, 'shell', id, '--', 'true'], env)).exitCode, {
        timeout: 60_000,
      })
      .toBe(0)
    const first = await forward(id, `${own}:${port}`)
    const second = await forward(id.slice(0, 8), String(port))
    expect(first.url).toBe(`http://127.0.0.1:${own}`)
    expect(await ask(first.url, '/one')).toMatch(/^pid \d+ heard \/one\n$/)
    expect(await Promise.all(['/a', '/b', '/c'].map((path) => ask(second.url, path)))).toEqual([
      expect.stringContaining('/a'),
      expect.stringContaining('/b'),
      expect.stringContaining('/c'),
    ])
    await expect
      .poll(first.words)
      .toMatch(
        new RegExp(`^leads to port ${port} of \\S+, where job ${id} \\(serves\\) runs; Ctrl-C ends it\n$`),
      )
    for (const { child, ended } of [first, second]) {
      child.kill('SIGINT')
      expect(await ended).toBe(0)
    }
    await expect(ask(first.url, '/late')).rejects.toThrow('fetch failed')
  })

  it('forward ends well on a Ctrl-C that comes with its first word', async () => {
    const eager = join(folder, 'eager.cjs')
    writeFileSync(
      eager,
      `const { write } = process.stdout
process.stdout.write = function (...args) {
  const written = write.apply(this, args)
  if (String(args[0]).startsWith('http://')) process.kill(process.pid, 'SIGINT')
  return written
}`,
    )
    const argv = ['--require', eager, main, 'forward', id, String(port)]
    expect(await withoutTerminal(argv, env)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^http:/),
    })
  })

  it('forward says so when nothing listens there', async () => {
    const [silent] = await freePorts(1)
    const { child, words, ended } = await forward(id, String(silent), '--json')
    await expect.poll(words).toContain(`note: nothing listens on port ${silent} of `)
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  })

  it('a command beside the job runs in its folder, and its exit code is ours', async () => {
    const { stdout, exitCode } = await withoutTerminal(
      [main, 'shell', id, '--', 'sh', '-c', 'pwd; ls; exit 7'],
      env,
    )
    expect(exitCode).toBe(7)
    expect(stdout).toMatch(new RegExp(`/jobs/${id}\n`))
    expect(stdout).toContain('job.sh')
  })

  it('a shell beside the job has the terminal: its size, its keys, its exit code', async () => {
    const typing = [
      [/[$#>] $/m, 'stty size; echo $((6 * 7))"."\r'],
      ['42.', 'exit 5\r'],
    ] as const
    const { screen, exitCode } = await onTerminal([main, 'shell', id], typing, { env })
    expect(screen).toContain(`job ${id} (serves) runs on `)
    expect(screen).toContain('33 101')
    expect(exitCode).toBe(5)
  })

  it('what runs beside the job follows the size of the window', async () => {
    const script = 'trap "stty size; exit 3" WINCH; echo ready; while :; do sleep 0.1; done'
    let wider = false
    let resizing: NodeJS.Timeout | undefined
    const resize = () => {
      for (const pid of processesWhere((argv) => argv.includes(`${main}\0shell\0${id}\0`))) {
        try {
          const tty = readlinkSync(`/proc/${pid}/fd/0`)
          if (!tty.startsWith('/dev/pts/')) continue
          execFileSync('stty', ['-F', tty, 'rows', wider ? '42' : '41', 'cols', '120'], { stdio: 'ignore' })
        } catch {
          // ended between two looks, and its terminal with it
        }
      }
      wider = !wider
    }
    // Not before it runs: srun that is told of a window while it starts never follows it.
    const whenReady = () => {
      resizing = setInterval(resize, 300)
    }
    const { screen, exitCode } = await onTerminal(
      [main, 'shell', id, '--', 'sh', '-c', shellQuote(script)],
      [['ready', whenReady]],
      { env },
    ).finally(() => clearInterval(resizing))
    expect(screen).toMatch(/4[12] 120/)
    expect(exitCode).toBe(3)
  })

  it('a shell without a job is that of the machine', async () => {
    const { screen, exitCode } = await onTerminal(
      [main, 'shell'],
      [[/[$#>] $/m, 'echo $((6 * 7))"."; exit 4\r']],
      { env },
    )
    expect(screen).toContain('42.')
    expect(exitCode).toBe(4)
  })

  extra({ id: () => id, env })

  it('a job that is over, or that nobody knows, is said to be so', async () => {
    const { url, child, ended } = await forward(id, String(port))
    await ask(url, '/end')
    child.kill('SIGINT')
    await ended
    expect(await job.line()).toBe('served')
    await job.ended
    const over = await withoutTerminal([main, 'shell', id], env)
    expect(over.exitCode).toBe(1)
    expect(over.stderr).toContain(`error JOB_NOT_RUNNING: job ${id} is over (completed)`)
    const unknown = await withoutTerminal([main, 'forward', 'fabcdefghijklm', '80'], env)
    expect(unknown.stderr).toContain("error JOB_UNKNOWN: there is no job 'fabcdefghijklm' on record here")
    const port0 = await withoutTerminal([main, 'forward', id, '0'], env)
    expect(port0.stderr).toContain("error OPTION_INVALID: '0' is no port")
  })
}
