import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { type SlurmWithLogin, startCluster } from '../test/clusters/cluster.ts'
import type { Row } from './measure.ts'
import { run } from './processes.ts'

const seconds = 30

/** Jobs that wait in a real Slurm, on hold: what they cost the client, and how often the scheduler is asked. */
export async function outstanding(): Promise<Row[]> {
  const lab = await startCluster({ accounting: false })
  Object.assign(process.env, lab.slurm.env)
  try {
    const few = await wait(lab, 'together', 10)
    const many = await wait(lab, 'together', 10_000)
    const single = await wait(lab, 'alone', 10_000)
    const row = (what: string, value: number, unit: string, promise?: string, kept?: boolean): Row => ({
      suite: 'outstanding',
      what,
      value,
      unit,
      ...(promise === undefined ? {} : { promise, kept: kept ?? false }),
    })
    return [
      row('10 calls that wait: resident', few.rss, 'MB'),
      row('10,000 calls that wait: resident', many.rss, 'MB', 'at most 300 MB', many.rss <= 300),
      row('10,000 calls: share of a core', 100 * many.cpu, '%', 'at most 5 %', many.cpu <= 0.05),
      {
        ...row(`10,000 calls: queries in ${seconds} s`, many.queries, 'calls'),
        floor: few.queries,
        floorName: 'of 10 calls',
        promise: 'as many as for 10',
        kept: Math.abs(many.queries - few.queries) <= 1,
      },
      row('10,000 submissions: resident', single.rss, 'MB', 'at most 300 MB', single.rss <= 300),
      row('10,000 submissions: share of a core', 100 * single.cpu, '%', 'at most 5 %', single.cpu <= 0.05),
      {
        ...row(`10,000 submissions: queries in ${seconds} s`, single.queries, 'calls'),
        floor: few.queries,
        floorName: 'of 10 calls',
        promise: 'as many as for 10',
        kept: Math.abs(single.queries - few.queries) <= 1,
      },
    ]
  } finally {
    await lab.stop()
  }
}

async function wait({ sshd }: SlurmWithLogin, kind: 'together' | 'alone', count: number) {
  const env = {
    ...process.env,
    FARCALL_SCHEDULER: 'slurm',
    FARCALL_HOST: sshd.host,
    FARCALL_PORT: String(sshd.port),
    FARCALL_USER: sshd.user,
    FARCALL_IDENTITY_FILE: sshd.identityFile,
    FARCALL_KNOWN_HOSTS: sshd.knownHosts,
  }
  const args = [
    'dist/cli/main.js',
    'run',
    'bench/outstanding-client.ts',
    '--',
    kind,
    String(count),
    String(seconds),
  ]
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  await lines.next()
  const before = await queries()
  const cost = JSON.parse(String((await lines.next()).value)) as { cpu: number; rss: number }
  const asked = (await queries()) - before
  await ended
  await run('scancel', ['--user', sshd.user])
  return { ...cost, queries: asked }
}

/** sdiag counts what slurmctld was asked, by everybody; here that is us. */
async function queries(): Promise<number> {
  const text = await run('sdiag', [], '')
  return [...text.matchAll(/REQUEST_JOB_(?:USER_)?INFO\b.*?count:(\d+)/g)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  )
}
