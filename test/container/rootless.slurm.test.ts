import { describe, inject } from 'vitest'
import { rootlessContainers } from './rootless.ts'

describe('a container of rootless podman in a job of Slurm', () => {
  rootlessContainers('slurm', 'SLURM_JOB_ID', inject('slurms').accounting.sshd)
})
