import { describe, inject } from 'vitest'
import { rootlessContainers } from './rootless.ts'

describe('a container of rootless podman in a job of Grid Engine', () => {
  rootlessContainers('sge', 'JOB_ID', inject('sge').sshd)
})
