import { spawnSync } from 'node:child_process'
import { inject, it } from 'vitest'
import { makeDesk, python } from './desk.ts'
import { runExample } from './example.ts'
import { installTslab } from './tslab.ts'

const { host, port, user, identityFile, knownHosts } = inject('slurms').accounting.sshd
const lab = { scheduler: 'slurm', host, port, user, identityFile, knownHosts }
const hasJupyter = spawnSync(python, ['-m', 'nbconvert', '--version']).status === 0

it.skipIf(!hasJupyter)(
  'examples/02-notebook.ipynb runs on Slurm through a login node',
  async () => {
    await installTslab()
    const desk = makeDesk({ config: { profiles: { lab }, defaultProfile: 'lab' } })
    try {
      await runExample(desk, /lab \*/)
    } finally {
      desk.remove()
    }
  },
  180_000,
)
