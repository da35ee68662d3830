import { spawnSync } from 'node:child_process'
import { describe, inject, it } from 'vitest'
import { installTools } from '../toolchains/tools.ts'
import { makeDenoDesk, runDenoExample } from './deno.ts'
import { makeDesk, python } from './desk.ts'
import { runExample } from './example.ts'
import { installTslab } from './tslab.ts'

const { host, port, user, identityFile, knownHosts } = inject('slurms').accounting.sshd
const lab = { scheduler: 'slurm', host, port, user, identityFile, knownHosts }
const config = { profiles: { lab }, defaultProfile: 'lab' }
const hasJupyter = spawnSync(python, ['-m', 'nbconvert', '--version']).status === 0

describe.skipIf(!hasJupyter)('on Slurm through a login node', () => {
  it('examples/02-notebook.ipynb runs', async () => {
    await installTslab()
    const desk = makeDesk({ config })
    try {
      await runExample(desk, /lab \*/)
    } finally {
      desk.remove()
    }
  }, 180_000)

  it("examples/03-deno-notebook.ipynb runs in Deno's kernel", async () => {
    await installTslab()
    await installTools()
    const desk = makeDenoDesk({ config })
    try {
      await runDenoExample(desk, /lab \*/)
    } finally {
      desk.remove()
    }
  }, 180_000)
})
