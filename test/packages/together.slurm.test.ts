import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { root } from '../client/helpers.ts'
import { run } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { installedProject } from './project.ts'

const minutes = 60_000
const folder = mkdtempSync(join(tmpdir(), 'farcall-together-'))
let project = ''

beforeAll(async () => {
  project = await installedProject()
}, 10 * minutes)
afterAll(() => removeFolder(folder))

it(
  'a compiled package, a prebuilt one, a wasm one, a worker and a file together run on Slurm',
  async () => {
    const { host, port, user, identityFile, knownHosts } = inject('slurms').plain.sshd
    const login = { scheduler: 'slurm', host, port, user, identityFile, knownHosts }
    const config = { defaultProfile: 'hpc', profiles: { hpc: { ...login, queryInterval: '2s' } } }
    writeFileSync(join(folder, 'farcall.config.json'), JSON.stringify(config))
    const argv = [join(root, 'dist/cli/main.js'), 'run', join(project, 'study.ts')]
    const { stdout } = await run(process.execPath, argv, { cwd: folder })
    const answers = JSON.parse(stdout) as { host: string }[]
    expect(answers).toEqual(
      [4, 5, 6, 7, 8].map((n) => ({
        sum: (n * (n + 1)) / 2,
        size: [n, 3],
        wasm: n + 1,
        rows: 2,
        doubled: 2 * n,
        user,
        host: expect.any(String),
      })),
    )
  },
  5 * minutes,
)
