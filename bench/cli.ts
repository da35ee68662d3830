import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { storeFolder } from '../src/store/folder.ts'
import { openStore } from '../src/store/open.ts'
import { paired, type Row } from './measure.ts'
import { run } from './processes.ts'
import { newJob } from './store.ts'

const suite = 'cli'
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const starts = 21
const recorded = 1_000

/** How long commands take that only look, against a Node that does nothing. */
export async function cli(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-bench-'))
  // As most have it: where nothing is configured.
  const before = process.env['XDG_STATE_HOME']
  process.env['XDG_STATE_HOME'] = folder
  try {
    const index = openStore({ folder: storeFolder(process.env, homedir(), hostname()), warn: console.error })
    for (let at = 0; at < recorded; at++) {
      const job = newJob(at)
      index.add(job)
      index.submitted(job.spec.id, 1, String(at))
      index.ended(job.spec.id, { state: 'COMPLETED' })
    }
    index.close()
    const plain = [await startOf('--help'), await startOf('list', '--limit', '50')]
    return [...plain, await withSettings(folder, () => startOf('list', '--limit', '50'))]
  } finally {
    if (before === undefined) delete process.env['XDG_STATE_HOME']
    else process.env['XDG_STATE_HOME'] = before
    rmSync(folder, { recursive: true, force: true })
  }
}

/** With a configuration file, and a variable that sets something. */
async function withSettings(folder: string, measure: () => Promise<Row>): Promise<Row> {
  const [home, setting] = [process.env['XDG_CONFIG_HOME'], process.env['FARCALL_WORKDIR']]
  mkdirSync(join(folder, 'farcall'), { recursive: true })
  writeFileSync(
    join(folder, 'farcall/config.yaml'),
    'profiles:\n  hpc: { host: hpc, scheduler: slurm, time: 1h }\n',
  )
  Object.assign(process.env, { XDG_CONFIG_HOME: folder, FARCALL_WORKDIR: '~/jobs' })
  try {
    const row = await measure()
    return { ...row, what: `${row.what}, with settings` }
  } finally {
    for (const [name, value] of Object.entries({ XDG_CONFIG_HOME: home, FARCALL_WORKDIR: setting }))
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
  }
}

async function startOf(...args: string[]): Promise<Row> {
  const [value, floor] = await paired(
    starts,
    () => run(process.execPath, [main, ...args]),
    () => run(process.execPath, ['-e', '0']),
  )
  const promised = 1.5 * floor + 60
  return {
    suite,
    what: `farcall ${args.join(' ')}${args[0] === 'list' ? `, of ${recorded} jobs` : ''}`,
    value,
    unit: 'ms',
    floor,
    floorName: 'node -e 0',
    promise: 'under 1.5 times it and 60 ms',
    kept: value < promised,
  }
}
