import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { close, cluster, configure } from '../src/index.ts'
import { injectFaults } from '../src/testing/observed-transport.ts'
import { startSshd } from '../test/clusters/sshd.ts'
import type { Row } from './measure.ts'
import { run } from './processes.ts'

/** What a generator function yields, read over ssh while it runs, against OpenSSH's `cat` of as many bytes. */
export async function stream(): Promise<Row[]> {
  let operations = 0
  injectFaults({
    before: () => {
      operations++
    },
  })
  const sshd = await startSshd()
  const { host, port, user, identityFile, knownHosts } = sshd
  configure({ profiles: { stream: { scheduler: 'direct', host, port, user, identityFile, knownHosts } } })
  const yielding = cluster({ profile: 'stream' }, async function* (count: number, bytes: number) {
    for (let n = 0; n < count; n++) yield new Uint8Array(bytes).fill(n)
  })
  const wide = yielding.with({ window: { items: 1_000_000, memory: '64MB' } })
  const read = async (of: typeof yielding, count: number, bytes: number) => {
    const before = operations
    const values = of(count, bytes)[Symbol.asyncIterator]()
    await values.next()
    // From the first value on: the start of a job is measured elsewhere.
    const begun = performance.now()
    let got = 1
    while (!(await values.next()).done) got++
    if (got !== count) throw new Error(`${got} values instead of ${count}`)
    return { ms: performance.now() - begun, operations: operations - before }
  }
  const cat = async (megabytes: number) => {
    const file = join(sshd.home, 'bytes')
    writeFileSync(file, new Uint8Array(megabytes * 1e6).fill(7))
    const begun = performance.now()
    await run('ssh', [...sshd.sshArgs, `${user}@${host}`, `cat ${file}`])
    return performance.now() - begun
  }
  try {
    await read(yielding, 10, 10)
    const [small, usual, large] = [
      await read(wide, 100_000, 1_000),
      await read(yielding, 100_000, 1_000),
      await read(yielding, 200, 500_000),
    ]
    const floor = await cat(100)
    const counts: string[] = []
    for (const count of [1_000, 10_000, 100_000])
      counts.push(`${count}: ${(await read(wide, count, 10)).operations}`)
    const row = (what: string, { ms }: { ms: number }): Row => ({
      suite: 'stream',
      what,
      value: ms,
      unit: 'ms',
      floor,
      floorName: 'ssh cat of 100 MB',
    })
    return [
      row('100,000 values of 1 kB, a window of 64 MB', small),
      row('the same, the usual window of 1,000 values', usual),
      row('200 values of 500 kB', large),
      {
        suite: 'stream',
        what: `commands and file transfers for values of 10 bytes (${counts.join(', ')}), with the usual window of the 100 MB`,
        value: usual.operations,
        unit: 'operations',
      },
    ]
  } finally {
    await close()
    injectFaults({})
    await sshd.stop()
  }
}
