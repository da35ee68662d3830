import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { functionKey, itemTimeOf } from '../src/client/outcome/item-time.ts'
import { planMembers } from '../src/client/submit/plan.ts'
import { close, cluster, configure, connect } from '../src/index.ts'
import { openStore } from '../src/store/open.ts'
import { startCluster } from '../test/clusters/cluster.ts'
import { medianMs, type Row } from './measure.ts'
import { newJob } from './store.ts'

const suite = 'planner'
const items = 1_000

/** What a plan costs, and maps of 1,000 trivial items on a real Slurm beside the same array written by hand. */
export async function planner(): Promise<Row[]> {
  return [await deciding(), ...(await maps())]
}

/** With what is known of the function read from a record of 1,000 functions. */
async function deciding(): Promise<Row> {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-bench-'))
  try {
    const store = openStore({ folder, warn: console.error })
    store.batch(() => {
      for (let at = 0; at < 1_000; at++) {
        const job = newJob(at)
        store.add(job)
        store.worked(job.spec.id, `/a/b/c${at}.ts#simulate`, { items: 10, seconds: 5, squares: 3 })
      }
    })
    const value = await medianMs(500, () => {
      const itemTime = itemTimeOf(store, functionKey({ file: '/a/b/c500.ts', name: 'simulate' }), 'hpc')
      planMembers({ items: 1_000_000, chunk: 'auto', traits: { maxMembers: 1001 }, itemTime })
    })
    store.close()
    return {
      suite,
      what: 'a plan',
      value: value * 1000,
      unit: 'µs',
      promise: 'at most 1 ms',
      kept: value <= 1,
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function maps(): Promise<Row[]> {
  const { sshd, slurm, stop } = await startCluster({ accounting: false })
  const { host, port, user, identityFile, knownHosts } = sshd
  const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts }
  const storeDir = mkdtempSync(join(tmpdir(), 'farcall-bench-'))
  configure({ store: storeDir, profiles: { bench: place } })
  try {
    const double = cluster({ profile: 'bench', memory: '100MB' }, (n: number) => n * 2)
    const inputs = Array.from({ length: items }, (_, n) => n)
    await double.map(inputs.slice(0, 200))
    const { chunk, members } = await double.map.plan(inputs)
    await using there = await connect('bench')

    /** Seconds from sbatch until the last member has left its mark; over the connection that is open. */
    const byHand = async (name: string, count: number, code: string) => {
      const folder = `${slurm.home}/${name}`
      const script = `#!/bin/sh\nnode -e '${code}'\n: >"${folder}/$SLURM_ARRAY_TASK_ID"\n`
      const put = `mkdir -p "$1" && printf %s "$2" >"$1.sh"`
      await there.run(['sh', '-c', put, 'sh', folder, script])
      const start = performance.now()
      const log = '--output=/dev/null'
      const { exitCode, stderr } = await there.run([
        ...['sbatch', '--mem=100M', log, `--array=0-${count - 1}`, `${folder}.sh`],
      ])
      if (exitCode !== 0) throw new Error(stderr)
      while (readdirSync(folder).length < count) await new Promise((resolve) => setTimeout(resolve, 100))
      return (performance.now() - start) / 1000
    }
    const byUs = async (options: { chunk?: number }) => {
      const start = performance.now()
      const values = await double.map(inputs, options)
      if (values.some((value, n) => value !== 2 * n)) throw new Error('wrong results')
      return (performance.now() - start) / 1000
    }

    // Turn by turn, so that a busy moment of the machine falls on both.
    const packed = { ours: [] as number[], floor: [] as number[] }
    for (let i = 0; i < 5; i++) {
      packed.ours.push(await byUs({}))
      packed.floor.push(await byHand(`packed${i}`, members, `for (let n = 0; n < ${chunk}; n++) n * 2`))
    }
    const [value, floor] = [packed.ours, packed.floor].map((all) => all.sort((a, b) => a - b)[2]!)
    // There and back, since the load of a machine changes over minutes.
    const single = { ours: [] as number[], floor: [] as number[] }
    single.ours.push(await byUs({ chunk: 1 }))
    single.floor.push(await byHand('each0', items, '0'), await byHand('each1', items, '0'))
    single.ours.push(await byUs({ chunk: 1 }))
    const [each, eachFloor] = [single.ours, single.floor].map(([a, b]) => (a! + b!) / 2) as [number, number]
    return [
      {
        suite,
        what: `a map of 1,000, chunk auto: ${members} member${members === 1 ? '' : 's'}`,
        value: value!,
        unit: 's',
        floor: floor!,
        floorName: 'sbatch --array by hand',
        promise: 'at most 1.3 times it',
        kept: value! / floor! <= 1.3,
      },
      {
        suite,
        what: 'a map of 1,000, chunk 1',
        value: each,
        unit: 's',
        floor: eachFloor,
        floorName: 'sbatch --array=0-999 of node -e 0',
        promise: `at most 1.2 times it; ${submitit()}`,
        kept: each / eachFloor <= 1.2,
      },
    ]
  } finally {
    await close()
    await stop()
    rmSync(storeDir, { recursive: true, force: true })
  }
}

/** Whether there is something to compare with. */
function submitit(): string {
  try {
    execFileSync('python3', ['-c', 'import submitit'], { stdio: 'ignore' })
    return 'submitit is here, and not measured yet'
  } catch {
    return 'submitit is not installed here'
  }
}
