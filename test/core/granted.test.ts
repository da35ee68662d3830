import { availableParallelism, cpus } from 'node:os'
import { describe, expect, it } from 'vitest'
import {
  dealGpus,
  grantedCores,
  grantedGpus,
  grantedMemory,
  type Machine,
  oomKills,
} from '../../src/core/granted.ts'
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

describe('GPUs dealt to processes', () => {
  it('are each one’s own, in every variable that shows them', () => {
    const env = {
      CUDA_VISIBLE_DEVICES: '0,1,2,3',
      ROCR_VISIBLE_DEVICES: '4,5,6,7',
      SLURM_JOB_GPUS: '4,5,6,7',
    }
    expect(dealGpus({ env }, 2, 2)).toEqual([
      { CUDA_VISIBLE_DEVICES: '0,1', ROCR_VISIBLE_DEVICES: '4,5' },
      { CUDA_VISIBLE_DEVICES: '2,3', ROCR_VISIBLE_DEVICES: '6,7' },
    ])
    expect(dealGpus({ env: { SLURM_JOB_GPUS: '4,5' } }, 2, 1)).toEqual([
      { CUDA_VISIBLE_DEVICES: '4' },
      { CUDA_VISIBLE_DEVICES: '5' },
    ])
    expect(dealGpus({ env: {} }, 2, 0)).toEqual([{}, {}])
  })

  it('are refused where there are too few', () => {
    expect(dealGpus({ env: { CUDA_VISIBLE_DEVICES: '0,1' } }, 3, 1)).toBeUndefined()
    expect(dealGpus({ env: {} }, 1, 1)).toBeUndefined()
  })
})

it('what the kernel killed for memory is read of either version', () => {
  const v1 = {
    '/proc/self/cgroup': '4:memory:/job\n',
    '/sys/fs/cgroup/memory/job/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n',
  }
  const v2 = {
    '/proc/self/cgroup': '0::/job\n',
    '/sys/fs/cgroup/job/memory.events': 'low 0\noom 2\noom_kill 1\n',
  }
  expect([v1, v2, {}].map((files) => oomKills(machine(files as Record<string, string>)))).toEqual([
    3,
    1,
    undefined,
  ])
})
