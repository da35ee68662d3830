import { describe, expect, it } from 'vitest'
import { type Launch, launchCommand, mpiKind, passedOn, takeRank } from '../../runtime/launchers.ts'
import { chooseLauncher, type Ranks } from '../../src/core/launcher.ts'
import { direct } from '../../src/scheduler/direct.ts'
import { pbs } from '../../src/scheduler/pbs.ts'
import { sge } from '../../src/scheduler/sge.ts'
import { slurm } from '../../src/scheduler/slurm.ts'
import { torque } from '../../src/scheduler/torque.ts'

const two = { nodes: 2, perNode: 3 } as const

describe('which launcher it is', () => {
  const one = { nodes: 1, perNode: 4 } as const
  it.each([
    [slurm, 'srun', 'srun'],
    [pbs, 'mpirun', 'multiple'],
    [torque, 'mpirun', 'multiple'],
  ] as const)('by itself: %s', (scheduler, over, within) => {
    expect(chooseLauncher({ ...two, launcher: 'auto' }, scheduler)).toBe(over)
    expect(chooseLauncher({ ...one, launcher: 'auto' }, scheduler)).toBe(within)
    expect(chooseLauncher({ ...one, launcher: 'mpirun' }, scheduler)).toBe('mpirun')
  })

  it.each([direct, sge])('on one node: %s', (scheduler) => {
    expect(chooseLauncher({ ...one, launcher: 'auto' }, scheduler)).toBe('multiple')
    expect(() => chooseLauncher({ ...one, launcher: 'srun' }, scheduler)).toThrow(/srun is Slurm's/)
  })

  it('is refused where it cannot do that', () => {
    expect(() => chooseLauncher({ ...two, launcher: 'multiple' }, slurm)).toThrow(/nodes is 2/)
    expect(() => chooseLauncher({ ...two, launcher: 'srun' }, pbs)).toThrow(/the scheduler is pbs/)
  })
})

describe('how it is asked', () => {
  const launch = (launcher: Ranks['launcher'], more: Partial<Launch> = {}) =>
    launchCommand({
      ranks: { ...two, launcher },
      cores: undefined,
      mpi: undefined,
      variables: ['PATH', 'ODD'],
      self: ['node', 'runtime.cjs'],
      run: '/jobs/run.1.0',
      umask: '22',
      cwd: '/home/me',
      argv: ['node', 'runtime.cjs', 'more'],
      ...more,
    })
  const start = ['sh', '-c', expect.stringContaining('exec "$@"')]
  const rest = [...start, 'farcall', '/jobs/run.1.0', '22', '/home/me', 'node', 'runtime.cjs', 'more']

  it('srun', () => {
    const sized = ['--nodes=2', '--ntasks=6', '--ntasks-per-node=3']
    const always = ['--kill-on-bad-exit=1', '--export=ALL', '--input=none']
    expect(launch('srun')).toEqual(['srun', ...sized, ...always, ...rest])
    expect(launch('srun', { cores: 4 })).toEqual(['srun', ...sized, '--cpus-per-task=4', ...always, ...rest])
  })

  it('mpirun, of Open MPI and of those made from MPICH', () => {
    const bound = ['--map-by', 'ppr:3:node', '--bind-to', 'none', '--oversubscribe']
    expect(launch('mpirun', { mpi: 'openmpi' })).toEqual([
      ...['mpirun', '-n', '6', ...bound, '-x', 'PATH', '-x', 'ODD', ...rest],
    ])
    expect(launch('mpirun', { mpi: 'hydra' })).toEqual(['mpirun', '-n', '6', '-ppn', '3', ...rest])
    expect(mpiKind('mpirun (Open MPI) 4.1.4\n')).toBe('openmpi')
    expect(mpiKind('HYDRA build details:\n    Version: 4.0.2\n')).toBe('hydra')
    expect(mpiKind('Intel(R) MPI Library for Linux* OS, Version 2021.10\n')).toBe('hydra')
  })

  it('our own', () => {
    expect(launch('multiple')).toEqual(['node', 'runtime.cjs', '--multiple', '6', ...rest])
  })

  it('what a launcher says itself is not passed on to other nodes, nor what is of one node', () => {
    const own = [
      'OMPI_COMM_WORLD_RANK',
      'PMIX_RANK',
      'PMI_RANK',
      'SLURM_PROCID',
      'SLURMD_NODENAME',
      'CUDA_VISIBLE_DEVICES',
      'TMPDIR',
      'HOSTNAME',
      'PWD',
      '_',
    ]
    expect(passedOn([...own, 'PATH', 'BASH_FUNC_module%%', 'FARCALL_CORES', 'ODD'])).toEqual([
      ...['PATH', 'FARCALL_CORES', 'ODD'],
    ])
  })
})

it('a rank knows itself, and takes that out of the environment', () => {
  const env = { FARCALL_RANK: '3', FARCALL_LOCAL_RANK: '1', FARCALL_RANKS: '6', OTHER: 'x' }
  expect(takeRank(env)).toEqual({ rank: 3, localRank: 1, size: 6 })
  expect(env).toEqual({ OTHER: 'x' })
  expect(takeRank({})).toBeUndefined()
})
