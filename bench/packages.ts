import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTar } from 'nanotar'
import { close, cluster, configure } from '../src/index.ts'
import { paired, type Row } from './measure.ts'

/** A warm call of a function whose package travels beside the bundle, over the same one with the package in the bundle. */
export async function packages(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-bench-'))
  configure({ profiles: { bench: { scheduler: 'direct', workdir: `${folder}/work` } } })
  try {
    const bundled = cluster({ profile: 'bench' }, (name: string) => createTar([{ name, data: name }]).length)
    const beside = bundled.with({ environment: { packages: ['nanotar'] } })
    const [ours, floor] = await paired(
      30,
      () => beside('a'),
      () => bundled('a'),
    )
    return [
      {
        suite: 'packages',
        what: 'a warm call with a package beside the bundle',
        value: ours,
        unit: 'ms',
        floor,
        floorName: 'with the package in the bundle',
        promise: 'at most 20 ms over it',
        kept: ours - floor <= 20,
      },
    ]
  } finally {
    await close()
    rmSync(folder, { recursive: true, force: true })
  }
}
