import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { protocolVersion } from '../src/core/protocol.ts'
import { openStore } from '../src/store/open.ts'
import { thisProcess } from '../src/store/owner.ts'
import type { NewJob } from '../src/store/types.ts'
import { median, medianMs, paired, type Row } from './measure.ts'
import { run } from './processes.ts'

const recorded = 100_000
const openings = 15
const suite = 'store'

/** The index of jobs: what a job costs in it, the list of the last ones, and its opening. */
export async function store(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-bench-'))
  try {
    const records = await recording(folder)
    return [records, ...(await listing(folder)), await opening(folder)]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function recording(folder: string): Promise<Row> {
  const index = openStore({ folder: join(folder, 'few'), warn: console.error })
  const plain = plainTable(join(folder, 'plain.db'))
  let at = 0
  const [value, floor] = await paired(
    2000,
    () => {
      const job = newJob(at++)
      index.add(job)
      index.submitted(job.spec.id, 1, String(at))
      index.ended(job.spec.id, { state: 'COMPLETED' })
    },
    () => {
      // The same number of transactions, each of one row with the job's bytes.
      const text = JSON.stringify(newJob(at).spec)
      for (let k = 0; k < 3; k++) plain.run([text])
    },
  )
  index.close()
  return {
    suite,
    what: 'a job: recorded, submitted, ended',
    value,
    unit: 'ms',
    floor,
    floorName: '3 inserts by libsql',
    promise: 'at most 1 ms',
    kept: value <= 1,
  }
}

async function listing(folder: string): Promise<Row[]> {
  const index = openStore({ folder: join(folder, 'many'), warn: console.error })
  for (let at = 0; at < recorded; at++) {
    const job = newJob(at)
    index.add(job)
    if (at % 100 === 0) index.ended(job.spec.id, { state: 'FAILED' })
  }
  const rows: Row[] = []
  const lists = [
    ['the last 50', {}],
    ['the last 50 that failed', { state: 'FAILED' }],
    ['the last 50 of one tag', { tag: 'tag 4' }],
  ] as const
  for (const [what, filter] of lists) {
    const value = await medianMs(100, () => index.list(filter))
    rows.push({
      suite,
      what: `${what} of ${recorded} jobs`,
      value,
      unit: 'ms',
      promise: 'under 5 ms',
      kept: value < 5,
    })
  }
  index.close()
  return rows
}

/** In a new process, where libsql has to be loaded first. */
async function opening(folder: string): Promise<Row> {
  const module = new URL('../dist/store/open.js', import.meta.url).href
  const program = `
    const { openStore } = await import(${JSON.stringify(module)})
    const { createRequire } = await import('node:module')
    const begun = performance.now()
    createRequire(${JSON.stringify(module)})('libsql')
    const loaded = performance.now()
    openStore({ folder: ${JSON.stringify(join(folder, 'many'))}, warn: console.error })
    console.log(JSON.stringify([performance.now() - begun, loaded - begun]))`
  const spent: [number, number][] = []
  for (let k = 0; k < openings; k++)
    spent.push(JSON.parse(await run(process.execPath, ['--input-type=module', '-e', program])))
  const [value, floor] = [median(spent.map(([all]) => all)), median(spent.map(([, load]) => load))]
  return {
    suite,
    what: `opened in a new process, with ${recorded} jobs`,
    value,
    unit: 'ms',
    floor,
    floorName: 'loading libsql',
    promise: 'at most 10 ms over it',
    kept: value - floor <= 10,
  }
}

function plainTable(file: string): { run(values: readonly string[]): unknown } {
  const Database = createRequire(import.meta.url)('libsql')
  const database = new Database(file)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE jobs (spec TEXT)')
  return database.prepare('INSERT INTO jobs VALUES (?)')
}

export function newJob(at: number): NewJob {
  const id = `f${at.toString(2).padStart(20, '0').replaceAll('0', 'a').replaceAll('1', 'b')}`
  const bundle = { sha256: String(at % 50).padStart(64, '0'), size: 2000, ext: 'mjs' }
  return {
    spec: {
      protocol: protocolVersion,
      id,
      attempt: 1,
      name: `simulate-${at % 10}`,
      client: 'c0123456789ab',
      function: { name: `simulate${at % 10}`, file: '/home/me/project/src/study.ts', line: 26 },
      runtime: { ...bundle, ext: 'cjs' },
      bundle,
      map: false,
      items: 1,
      chunk: 1,
      members: 1,
      resources: { cores: 8, memoryBytes: 16e9, timeSeconds: 7200, partition: 'short', account: 'abc' },
      environment: { node: 'auto', modules: ['gcc/13'], variables: { OMP_NUM_THREADS: '8' } },
      createdAt: new Date().toISOString(),
      farcall: '0.1.0',
    },
    profile: {
      name: 'hpc',
      settings: { scheduler: 'slurm', host: 'login.hpc.edu', workdir: '$SCRATCH/farcall' },
    },
    payload: { args: [new Uint8Array(100), new Uint8Array(200)], bundle: new Uint8Array(2000) },
    tags: at % 4 === 0 ? [`tag ${at % 10}`] : [],
    provenance: {
      git: { commit: '0123456789abcdef0123456789abcdef01234567', dirty: true },
      farcall: '0.1.0',
      node: process.version,
      cwd: '/home/me/project',
    },
    owner: thisProcess(),
  }
}
