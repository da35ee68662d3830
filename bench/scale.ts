import { readFileSync } from 'node:fs'
import { wrapTransports } from '../src/executor/open.ts'
import { close, cluster, configure } from '../src/index.ts'
import { ObservedTransport } from '../src/testing/observed-transport.ts'
import { startCluster } from '../test/clusters/cluster.ts'
import type { Row } from './measure.ts'
import { run } from './processes.ts'

const suite = 'scale'
const sizes = [10, 1_000, 10_000]

/** What a map costs the cluster and the connection, by its number of items, on a real Slurm behind a real sshd. */
export async function scale(): Promise<Row[]> {
  const { sshd, slurm, stop } = await startCluster({ accounting: false })
  const { host, port, user, identityFile, knownHosts } = sshd
  let operations = 0
  wrapTransports(
    (inner) =>
      new ObservedTransport(inner, {
        before(_, operation, argv) {
          // A look for what is new is by the clock, whatever there is.
          if (operation !== 'exec' || !argv.some((word) => word.includes('looks=$3'))) operations++
        },
      }),
  )
  configure({ profiles: { bench: { scheduler: 'slurm', host, port, user, identityFile, knownHosts } } })
  Object.assign(process.env, slurm.env)
  const commands = async () => {
    const text = await run('sdiag', [], '')
    const count = (name: string) => Number(new RegExp(`${name}.*count:(\\d+)`).exec(text)?.[1] ?? 0)
    return {
      submits: count('REQUEST_SUBMIT_BATCH_JOB'),
      queries: count('REQUEST_JOB_INFO') + count('REQUEST_JOB_USER_INFO'),
      logins: readFileSync(sshd.logFile, 'utf8').match(/Accepted publickey/g)?.length ?? 0,
    }
  }
  try {
    const double = cluster({ profile: 'bench', memory: '100MB' }, (n: number) => n * 2)
    // From here on it is known how long an item takes, and the place has all blobs.
    await double.map(Array.from({ length: 100 }, (_, n) => n))
    const costs: { operations: number; submits: number; queries: number; logins: number; seconds: number }[] =
      []
    for (const size of sizes) {
      const before = await commands()
      operations = 0
      const start = performance.now()
      const values = await double.map(Array.from({ length: size }, (_, n) => n))
      const seconds = (performance.now() - start) / 1000
      if (values.length !== size || values.some((value, n) => value !== 2 * n))
        throw new Error('wrong results')
      const after = await commands()
      costs.push({
        operations,
        submits: after.submits - before.submits,
        queries: after.queries - before.queries,
        logins: after.logins - before.logins,
        seconds,
      })
    }
    return (['operations', 'submits', 'queries', 'logins', 'seconds'] as const).flatMap((what) =>
      costs.map((cost, k) => ({
        suite,
        what: `a map of ${sizes[k]!.toLocaleString('en')}: ${what}`,
        value: cost[what],
        unit: what === 'seconds' ? 's' : '',
        ...(what === 'seconds' || k === 0
          ? {}
          : {
              // What is too large to go along with a command takes one of its own, there and back.
              promise: `as for 10 (${costs[0]![what]}), and a handful where there is much to send`,
              kept: cost[what] <= costs[0]![what] + (what === 'operations' ? 5 : 0),
            }),
      })),
    )
  } finally {
    await close()
    await stop()
  }
}
