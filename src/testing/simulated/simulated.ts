import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { shellQuote } from '../../core/shell.ts'
import type { KnobChanges, Knobs } from './knobs.ts'
import type { Reply } from './model.ts'

export type { KnobChanges, Knobs } from './knobs.ts'

/** Schedulers that can be simulated. */
export type SimulatedKind = 'pbs' | 'torque' | 'slurm' | 'sge'

const commands: Record<SimulatedKind, readonly string[]> = {
  pbs: ['qsub', 'qstat', 'qdel', 'qselect', 'qmgr', 'pbsnodes'],
  torque: ['qsub', 'qstat', 'qdel', 'qselect', 'qmgr', 'pbsnodes'],
  slurm: ['sbatch', 'squeue', 'sacct', 'sacctmgr', 'scancel', 'scontrol', 'sinfo', 'srun'],
  sge: ['qsub', 'qstat', 'qacct', 'qdel', 'qconf', 'qmod', 'qhold', 'qrls'],
}

/** A scheduler that is none, with jobs that are real processes. */
export interface SimulatedScheduler extends AsyncDisposable {
  readonly kind: SimulatedKind
  /** The folder of its commands, for PATH. */
  readonly bin: string
  /** Changes what it does from now on; what is undefined is again as it is by default. */
  set(changes: KnobChanges): Promise<void>
  /** All that runs ends at once, as when its node goes down; with 'preempt', as for a job of higher priority. */
  failNode(how?: 'down' | 'preempt'): Promise<void>
  /** Ends it and all its jobs. */
  close(): Promise<void>
}

/**
 * Brings up a simulated scheduler on this machine: its commands (`sbatch`, `squeue` …) are programs on PATH, and its jobs
 * run as processes, with time limits, memory limits, arrays and dependencies. For tests of programs that use a cluster.
 * It is no scheduler: what was tested on it was not tested on the real one.
 *
 * While it is up, PATH of this process begins with its commands; `close()` puts it back.
 * @throws Error when it cannot be started
 * @example
 * import { cluster, configure } from 'farcall'
 * import { simulateScheduler } from 'farcall/testing'
 *
 * await using slurm = await simulateScheduler('slurm', { cores: 2 })
 * configure({ profiles: { test: { scheduler: slurm.kind } } })
 * console.log(await cluster({ profile: 'test', time: '1m' }, (n: number) => n * n).map([1, 2, 3]))
 */
export async function simulateScheduler(kind: SimulatedKind, knobs: Knobs = {}): Promise<SimulatedScheduler> {
  const folder = mkdtempSync(join(tmpdir(), `farcall-${kind}-`))
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const [program, client] = await Promise.all([bundle('program', folder), bundle('client', folder)])
  for (const command of commands[kind]) {
    const words = [process.execPath, client, folder, command].map(shellQuote).join(' ')
    writeFileSync(join(bin, command), `#!/bin/sh\nexec ${words} "$@"\n`)
    chmodSync(join(bin, command), 0o755)
  }
  const argv = [program, kind, folder, JSON.stringify(knobs)]
  const child = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  await ready(child)
  const pathBefore = process.env['PATH']
  process.env['PATH'] = [bin, pathBefore].filter(Boolean).join(delimiter)
  const tell = async (command: string, stdin = '') => {
    const { exitCode, stderr } = await ask(join(folder, 'socket'), command, stdin)
    if (exitCode !== 0) throw new Error(stderr)
  }
  const close = async () => {
    if (pathBefore === undefined) delete process.env['PATH']
    else process.env['PATH'] = pathBefore
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.stdin.end()
      await ended
    }
    rmSync(folder, { recursive: true, force: true })
  }
  return {
    kind,
    bin,
    set: (changes) =>
      tell(
        'farcall-set',
        JSON.stringify(changes, (_, value) => value ?? null),
      ),
    failNode: (how = 'down') => tell(how === 'preempt' ? 'farcall-preempt' : 'farcall-fail-node'),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** One file, for Node reads no TypeScript everywhere. */
async function bundle(name: 'program' | 'client', folder: string): Promise<string> {
  const sources = ['ts', 'js'].map((ext) => fileURLToPath(new URL(`./${name}.${ext}`, import.meta.url)))
  const outfile = join(folder, `${name}.mjs`)
  const entryPoints = sources.filter((path) => existsSync(path)).slice(0, 1)
  await build({
    entryPoints,
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node16',
    logLevel: 'silent',
  })
  return outfile
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout!.once('data', () => resolve())
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the simulated scheduler ended with exit code ${code}`)))
  })
}

function ask(socketPath: string, command: string, stdin: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { username: user, uid } = userInfo()
    const socket = connect(socketPath)
    let text = ''
    socket.setEncoding('utf8')
    socket.on('error', reject)
    socket.on('data', (part) => {
      text += part
    })
    socket.on('end', () => resolve(JSON.parse(text) as Reply))
    socket.end(JSON.stringify({ command, args: [], cwd: '/', env: {}, stdin, user, uid }))
  })
}
