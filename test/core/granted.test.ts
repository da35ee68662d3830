import { availableParallelism, cpus } from 'node:os'
import { describe, expect, it } from 'vitest'
import { grantedCores, grantedGpus, grantedMemory, type Machine } from '../../src/core/granted.ts'
import { thisMachine } from '../../src/core/machine.ts'

const GiB = 2 ** 30
const machine = (files: Record<string, string>, processors = 64): Machine => ({
  env: {},
  processors,
  read: (path) => files[path],
})

describe('cores granted', () => {
  it('are those of the scheduler, where the kernel gives as many', () => {
    expect(grantedCores(8, machine({}))).toBe(8)
    expect(grantedCores(undefined, machine({}))).toBe(64)
  })

  it('are fewer where affinity binds the process to fewer', () => {
    const status = 'Name:\tnode\nCpus_allowed:\t0107\nCpus_allowed_list:\t0-2,8\nMems_allowed_list:\t0\n'
    expect(grantedCores(8, machine({ '/proc/self/status': status }))).toBe(4)
    expect(grantedCores(2, machine({ '/proc/self/status': status }))).toBe(2)
  })

  it('are fewer where a control group has a quota, its own or one above', () => {
    const v2 = { '/proc/self/cgroup': '0::/a/b\n', '/sys/fs/cgroup/a/b/cpu.max': 'max 100000' }
    expect(grantedCores(8, machine(v2))).toBe(8)
    expect(grantedCores(8, machine({ ...v2, '/sys/fs/cgroup/a/cpu.max': '250000 100000\n' }))).toBe(2)
    expect(grantedCores(8, machine({ ...v2, '/sys/fs/cgroup/cpu.max': '50000 100000\n' }))).toBe(1)
    const v1 = {
      '/proc/self/cgroup': '4:cpu,cpuacct:/job_1\n3:memory:/other\n',
      '/sys/fs/cgroup/cpu/job_1/cpu.cfs_quota_us': '300000\n',
      '/sys/fs/cgroup/cpu/job_1/cpu.cfs_period_us': '100000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    }
    expect(grantedCores(8, machine(v1))).toBe(3)
  })

  it('of this machine are what Node finds', () => {
    expect(grantedCores(undefined, thisMachine())).toBe(Math.min(availableParallelism(), cpus().length))
  })
})

describe('memory granted', () => {
  it('is what was asked for, unless a control group allows less', () => {
    expect(grantedMemory(undefined, machine({}))).toBeUndefined()
    expect(grantedMemory(4 * GiB, machine({}))).toBe(4 * GiB)
    const v1 = {
      '/proc/self/cgroup': '4:memory:/slurm/job_1\n',
      '/sys/fs/cgroup/memory/slurm/job_1/memory.limit_in_bytes': '9223372036854771712\n',
      '/sys/fs/cgroup/memory/slurm/memory.limit_in_bytes': `${2 * GiB}\n`,
    }
    expect(grantedMemory(4 * GiB, machine(v1))).toBe(2 * GiB)
    expect(grantedMemory(GiB, machine(v1))).toBe(GiB)
    const { '/proc/self/cgroup': at, ...files } = v1
    expect(grantedMemory(undefined, machine({ '/proc/self/cgroup': at }))).toBeUndefined()
    expect(grantedMemory(undefined, machine(files))).toBeUndefined()
  })
})

describe('GPUs granted', () => {
  it('are those that the vendor’s variable shows', () => {
    expect(grantedGpus({ env: {} })).toEqual([])
    expect(grantedGpus({ env: { CUDA_VISIBLE_DEVICES: '0,1', SLURM_JOB_GPUS: '4,5' } })).toEqual(['0', '1'])
    expect(grantedGpus({ env: { ROCR_VISIBLE_DEVICES: '2' } })).toEqual(['2'])
    expect(grantedGpus({ env: { SLURM_JOB_GPUS: '4,5' } })).toEqual(['4', '5'])
    expect(grantedGpus({ env: { CUDA_VISIBLE_DEVICES: 'GPU-8932f937, MIG-1' } })).toEqual([
      'GPU-8932f937',
      'MIG-1',
    ])
  })

  it('are none where it says so', () => {
    for (const none of ['', '-1', 'NoDevFiles'])
      expect(grantedGpus({ env: { CUDA_VISIBLE_DEVICES: none } })).toEqual([])
    expect(grantedGpus({ env: { CUDA_VISIBLE_DEVICES: '0,-1,1' } })).toEqual(['0'])
  })
})
