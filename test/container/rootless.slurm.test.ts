import { describe, inject } from 'vitest'
import { rootlessContainers } from './rootless.ts'

describe('a container of rootless podman in a job of Slurm', () => {
  rootlessContainers('slurm', 'SLURM_JOB_ID', inject('slurms').accounting.sshd)
})

describe('a container of rootless podman on an ssh host', () => {
  rootlessContainers('direct', 'FARCALL_TASK_MARK', inject('slurms').accounting.sshd)
})
