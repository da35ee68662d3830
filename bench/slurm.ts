import { readFileSync } from 'node:fs'
import { close, cluster, configure } from '../src/index.ts'
import { startCluster } from '../test/clusters/cluster.ts'
import { median, type Row } from './measure.ts'
import { run } from './processes.ts'

/** A real Slurm behind a real sshd: how soon a result is here, and what a map of 1,000 costs the cluster. */
export async function slurm(): Promise<Row[]> {
  const { sshd, slurm: server, stop } = await startCluster({ accounting: false })
  const { host, port, user, identityFile, knownHosts } = sshd
  configure({ profiles: { bench: { scheduler: 'slurm', host, port, user, identityFile, knownHosts } } })
  const onLogin = (command: string) => run('ssh', [...sshd.sshArgs, `${user}@${host}`, command])
  try {
    const call = cluster({ profile: 'bench' }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      return Date.now()
    })
    await call()
    const late: number[] = []
    for (let i = 0; i < 20; i++) {
      const written = await call()
      late.push(Date.now() - written)
    }

    // sdiag counts what slurmctld was asked, by everybody; here that is us.
    await onLogin('sdiag').catch(() => '')
    const rpcs = async () => {
      const text = await run('sdiag', [], '')
      const count = (name: string) => Number(new RegExp(`${name}.*count:(\\d+)`).exec(text)?.[1] ?? 0)
      return {
        submits: count('REQUEST_SUBMIT_BATCH_JOB'),
        queries: count('REQUEST_JOB_INFO') + count('REQUEST_JOB_USER_INFO'),
      }
    }
    const logins = () => readFileSync(sshd.logFile, 'utf8').match(/Accepted publickey/g)?.length ?? 0
    Object.assign(process.env, server.env)
    const before = { ...(await rpcs()), logins: logins() }
    const start = performance.now()
    const values = await cluster({ profile: 'bench', memory: '100MB' }, (n: number) => n * 2).map(
      Array.from({ length: 1000 }, (_, n) => n),
    )
    const seconds = (performance.now() - start) / 1000
    if (values.some((value, n) => value !== 2 * n)) throw new Error('wrong results')
    const after = { ...(await rpcs()), logins: logins() }
    const queries = after.queries - before.queries
    return [
      {
        suite: 'slurm',
        what: 'result here after the function returned',
        value: median(late),
        unit: 'ms',
        promise: 'at most 350 ms',
        kept: median(late) <= 350,
      },
      { suite: 'slurm', what: 'slowest of 20', value: Math.max(...late), unit: 'ms' },
      { suite: 'slurm', what: 'a map of 1,000: seconds', value: seconds, unit: 's' },
      {
        suite: 'slurm',
        what: 'a map of 1,000: sbatch',
        value: after.submits - before.submits,
        unit: 'calls',
        promise: 'one',
        kept: after.submits - before.submits === 1,
      },
      {
        suite: 'slurm',
        what: 'a map of 1,000: new connections',
        value: after.logins - before.logins,
        unit: '',
        promise: 'none: the open one',
        kept: after.logins === before.logins,
      },
      {
        suite: 'slurm',
        what: 'a map of 1,000: queries of the queue',
        value: queries,
        unit: 'calls',
        promise: 'one each 10 s, and two',
        kept: queries <= seconds / 10 + 2,
      },
    ]
  } finally {
    await close()
    await stop()
  }
}
