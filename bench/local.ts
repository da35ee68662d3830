import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { close, cluster, configure } from '../src/index.ts'
import { paired, type Row } from './measure.ts'
import { run } from './processes.ts'

/** A warm call on this machine over the start of the same Node. */
export async function local(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-bench-'))
  configure({ profiles: { bench: { scheduler: 'direct', workdir: `${folder}/work` } } })
  try {
    const add = cluster({ profile: 'bench' }, (n: number) => n + 1)
    const [ours, floor] = await paired(
      30,
      () => add(1),
      () => run(process.execPath, ['-e', '0']),
    )
    return [
      {
        suite: 'local',
        what: 'a warm call',
        value: ours,
        unit: 'ms',
        floor,
        floorName: 'node -e 0',
        promise: 'at most 60 ms over it',
        kept: ours - floor <= 60,
      },
    ]
  } finally {
    await close()
    rmSync(folder, { recursive: true, force: true })
  }
}
