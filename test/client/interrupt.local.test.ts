import { spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { attach, close, configure } from '../../src/index.ts'
import { isAlive, until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { root, runProgram } from './helpers.ts'
import { jobProcesses, left } from './left.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-interrupt-'))
const workdir = `${folder}/work`
const settings = { FARCALL_SCHEDULER: 'direct', FARCALL_WORKDIR: workdir }

const started: number[] = []
afterEach(() => {
  for (const pid of started.splice(0)) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
})
afterAll(() => removeFolder(folder))

/** The program on a terminal of its own: what is typed reaches it as from a keyboard, Ctrl-C too. */
function onTerminal(act: string, env: Record<string, string>, ...rest: string[]) {
  const words = [act, ...rest].join(' ')
  const command = `exec '${process.execPath}' '${root}dist/cli/main.js' run '${root}test/fixtures/programs/lifecycle.ts' -- ${words}`
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    cwd: root,
    env: { ...process.env, ...settings, ...env, SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  started.push(child.pid!)
  let raw = ''
  child.stdout.on('data', (text) => {
    raw += text
  })
  // Without what moves the cursor.
  const seen = () => raw.replaceAll(/\x1b\[[\d;]*[A-Za-z]/g, '')
  // Its last words may be read only after its end is known.
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const shows = (what: RegExp) => until(() => what.test(seen()), 30_000)
  const job = async () => {
    expect(await shows(/"nativeId":"[^"]+"/), seen()).toBe(true)
    const { id, nativeId } = JSON.parse(/\{"id".*?\}/.exec(seen())![0]) as { id: string; nativeId: string }
    return { id, pid: Number(nativeId.split(':')[2]) }
  }
  return { type: (keys: string) => child.stdin.write(keys), shows, seen, ended, job }
}

const ctrlC = '\x03'
const question = /\(c\)ancel them, \(d\)etach: leave them running, or \(g\)o on\? $/

describe('Ctrl-C on a terminal, where the profile says ask,', () => {
  const ask = { FARCALL_INTERRUPT: 'ask' }
  const noJobs = () => until(() => jobProcesses(workdir).length === 0, 30_000)
  let gates = 0
  /** A file that the job waits for. */
  const newGate = () => join(folder, `gate-${++gates}`)

  it('cancels when told so, and leaves nothing', async () => {
    const program = onTerminal('waits', ask)
    const { id, pid } = await program.job()
    program.type(ctrlC)
    expect(await program.shows(question), program.seen()).toBe(true)
    expect(program.seen()).toContain(`1 job(s) under way, direct on local: ${id}`)
    program.type('what?\r')
    expect(await program.shows(/what\?\s+\(c\)ancel.*\? $/s), program.seen()).toBe(true)
    expect(isAlive(pid)).toBe(true)
    program.type('c\r')
    expect(await program.ended).toBe(130)
    expect(program.seen()).toMatch(/canceling 1 job/)
    expect(program.seen()).not.toMatch(/JobCanceledError/)
    expect(await noJobs()).toBe(true)
    expect(left(workdir)).toEqual([])
  })

  it('goes on when told so, and asks again the next time', async () => {
    const gate = newGate()
    const program = onTerminal('waits', ask, '1', gate)
    const { pid } = await program.job()
    program.type(ctrlC)
    expect(await program.shows(question), program.seen()).toBe(true)
    program.type('g\r')
    expect(await program.shows(/going on/), program.seen()).toBe(true)
    program.type(ctrlC)
    expect(await program.shows(/going on.*o on\? $/s), program.seen()).toBe(true)
    expect(isAlive(pid)).toBe(true)
    program.type('g\r')
    expect(await program.shows(/(going on.*){2}/s), program.seen()).toBe(true)
    writeFileSync(gate, '')
    expect(await program.ended).toBe(0)
    expect(await noJobs()).toBe(true)
  })

  it('leaves the jobs when told so', async () => {
    const gate = newGate()
    const program = onTerminal('waits', ask, '1', gate)
    const { id, pid } = await program.job()
    program.type(ctrlC)
    expect(await program.shows(question), program.seen()).toBe(true)
    program.type('d\r')
    expect(await program.ended).toBe(130)
    expect(isAlive(pid)).toBe(true)
    configure({ profiles: { here: { scheduler: 'direct', workdir } }, defaultProfile: 'here' })
    writeFileSync(gate, '')
    expect(await attach(id)).toBe(1)
    await close()
  })

  it('pressed again is an answer: the program ends at once, the jobs go on', async () => {
    const gate = newGate()
    const program = onTerminal('waits', ask, '1', gate)
    const { pid } = await program.job()
    program.type(ctrlC)
    expect(await program.shows(question), program.seen()).toBe(true)
    program.type(ctrlC)
    expect(await program.ended).toBe(130)
    expect(isAlive(pid)).toBe(true)
    writeFileSync(gate, '')
    expect(await noJobs()).toBe(true)
    removeFolder(workdir)
  })
})

describe('without a terminal', () => {
  it.each([{ FARCALL_INTERRUPT: 'ask' }, { FARCALL_INTERRUPT: 'cancel' }])(
    'Ctrl-C cancels, waits for the ends, and leaves no folder: %s',
    async (env) => {
      const program = runProgram('lifecycle.ts', ['waits', '600000'], { ...settings, ...env })
      started.push(program.pid)
      expect(await program.line()).toContain('nativeId')
      program.signal('SIGINT')
      expect(await program.ended).toMatchObject({ code: 130 })
      expect(program.stderr()).toMatch(
        /^farcall: canceling 1 job\(s\), direct on local; once more to leave them\n$/,
      )
      expect(await until(() => jobProcesses(workdir).length === 0, 10_000)).toBe(true)
      expect(left(workdir)).toEqual([])
    },
  )
})
