import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median, paired, type Row } from './measure.ts'
import { run } from './processes.ts'
import { writeProject, writeTypes } from './project.ts'

const files = 1000
const processes = 7
const remoteFunctions = 200

interface Spent {
  readonly snapshot: number
  readonly all: number
}

/** Snapshot and bundle of one function in a project of 1,000 files, inside the process; and what types cost. */
export async function capture(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-bench-'))
  try {
    return [...(await snapshots(folder)), await typeCheck(folder)]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function snapshots(folder: string): Promise<Row[]> {
  writeProject(join(folder, 'project'), files)
  const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
  const program = async (cache: string, times: number): Promise<Spent[]> => {
    const args = [join(folder, 'project', 'main.ts'), '--', join(folder, cache), String(times)]
    return (JSON.parse(await run(process.execPath, [cli, 'run', ...args])) as { spent: Spent[] }).spent
  }
  const cold: Spent[] = []
  const disk: Spent[] = []
  const warm: Spent[] = []
  for (let i = 0; i < processes; i++) {
    cold.push((await program(`cache-${i}`, 1))[0]!)
    const [first, ...others] = await program(`cache-${i}`, 21)
    disk.push(first!)
    warm.push(...others)
  }
  const row = (what: string, spent: readonly Spent[], most: number): Row => {
    const value = median(spent.map(({ all }) => all))
    return {
      suite: 'capture',
      what: `${what}, of it the snapshot ${median(spent.map(({ snapshot }) => snapshot)).toFixed(1)} ms`,
      value,
      unit: 'ms',
      promise: `at most ${most} ms`,
      kept: value <= most,
    }
  }
  return [
    row(`first call in a project of ${files} files, empty cache`, cold, 350),
    row('the same in a new process, from the disk cache', disk, 30),
    row('a later call', warm, 10),
  ]
}

async function typeCheck(folder: string): Promise<Row> {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
  writeTypes(join(folder, 'remote'), remoteFunctions, true)
  writeTypes(join(folder, 'plain'), remoteFunctions, false)
  const check = (name: string) => run(process.execPath, [tsc, '-p', join(folder, name)])
  const [ours, floor] = await paired(
    5,
    () => check('remote'),
    () => check('plain'),
  )
  return {
    suite: 'capture',
    what: `tsc on ${remoteFunctions} remote functions`,
    value: ours,
    unit: 'ms',
    floor,
    floorName: 'the same without cluster()',
  }
}
