import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { checkSetting } from '../../src/config/assignments.ts'
import { fromClustrix } from '../../src/config/foreign/clustrix.ts'
import { fromSrunx } from '../../src/config/foreign/srunx.ts'

/** The fields of https://github.com/ksterx/srunx 05caa53 (src/srunx/ssh/core/config.py) and 2a54c6e (common/config.py). */
const srunx = {
  current_profile: 'dgx',
  profiles: {
    dgx: {
      hostname: 'dgx.example.com',
      username: 'researcher',
      key_filename: '/home/researcher/.ssh/dgx_key',
      port: 2222,
      description: null,
      ssh_host: null,
      proxy_jump: 'bastion',
      env_vars: { HF_HOME: '/scratch/hf' },
      mounts: [{ name: 'ml', local: '~/ml', remote: '/home/researcher/ml' }],
    },
    alias: { hostname: 'x', username: 'y', key_filename: 'z', port: 22, ssh_host: 'hpc', mounts: [] },
  },
  resources: {
    nodes: 1,
    gpus_per_node: 1,
    ntasks_per_node: 1,
    cpus_per_task: 8,
    memory_per_node: '32GB',
    time_limit: '2:00:00',
    partition: 'gpu',
  },
  environment: { conda: 'ml_env', container: { image: 'a' }, env_vars: { OMP_NUM_THREADS: '8' } },
  log_dir: 'slurm_logs',
  work_dir: '/scratch/username',
}

describe('profiles of srunx', () => {
  it('keep login, resources and environment, and say what is left', () => {
    const defaults = {
      resources: { gpus: 1, cores: 8, memory: '32GB', time: '2:00:00', partition: 'gpu' },
      environment: { conda: 'ml_env', cwd: '/scratch/username' },
    }
    const [dgx, alias] = fromSrunx(srunx)
    expect(dgx).toEqual({
      name: 'dgx',
      profile: {
        scheduler: 'slurm',
        host: 'dgx.example.com',
        user: 'researcher',
        port: 2222,
        identityFile: '/home/researcher/.ssh/dgx_key',
        proxyJump: 'bastion',
        resources: defaults.resources,
        environment: {
          ...defaults.environment,
          variables: { OMP_NUM_THREADS: '8', HF_HOME: '/scratch/hf' },
        },
      },
      left: [expect.stringMatching(/^environment\.container: /), expect.stringMatching(/^mounts: /)],
    })
    expect(alias!.profile).toMatchObject({ scheduler: 'slurm', host: 'hpc' })
    expect(alias!.profile).not.toHaveProperty('user')
    for (const { name, profile } of [dgx!, alias!]) checkSetting(['profiles', name], profile)
  })

  it('are none in a file without any', () => {
    expect(fromSrunx({})).toEqual([])
    expect(fromSrunx({ profiles: { a: 3 } })).toEqual([])
  })
})

describe('profiles of Clustrix', () => {
  it('are one, from its own example file', () => {
    // https://github.com/ContextLab/clustrix 6df494a (docs: clustrix.yml)
    const config = parse(`
cluster_type: slurm
cluster_host: hpc.example.edu
username: researcher
key_file: ~/.ssh/id_ed25519
remote_work_dir: /scratch/researcher/clustrix
default_cores: 8
default_memory: 32GB
default_time: "04:00:00"
default_partition: compute
module_loads: [python/3.11, cuda]
environment_variables: { OMP_NUM_THREADS: "8" }
pre_execution_commands: [ulimit -c 0]
password: hunter2
`)
    const [{ name, profile, left }] = fromClustrix(config) as [ReturnType<typeof fromClustrix>[0]]
    expect({ name, profile }).toEqual({
      name: 'hpc',
      profile: {
        scheduler: 'slurm',
        host: 'hpc.example.edu',
        user: 'researcher',
        identityFile: '~/.ssh/id_ed25519',
        workdir: '/scratch/researcher/clustrix',
        resources: { cores: 8, memory: '32GB', time: '04:00:00', partition: 'compute' },
        environment: {
          modules: ['python/3.11', 'cuda'],
          variables: { OMP_NUM_THREADS: '8' },
          setup: ['ulimit -c 0'],
        },
      },
    })
    expect(left).toEqual([expect.stringMatching(/^password: a secret/)])
    expect(JSON.stringify({ profile, left })).not.toContain('hunter2')
    checkSetting(['profiles', name], profile)
  })

  it('are several, as its widget saves them', () => {
    const found = fromClustrix({
      'Ndoli Cluster': {
        cluster_type: 'slurm',
        cluster_host: 'ndoli.example.edu',
        remote_work_dir: '/tmp/clustrix',
      },
      'GPU Box': { cluster_type: 'ssh', cluster_host: 'gpu.example.edu', cluster_port: 22 },
      K8s: { cluster_type: 'kubernetes', k8s_namespace: 'lab', k8s_image: 'python:3.11-slim' },
      Cloud: { cluster_type: 'lambda' },
    })
    expect(found.map(({ name, profile }) => [name, profile])).toEqual([
      ['ndoli-cluster', { scheduler: 'slurm', host: 'ndoli.example.edu' }],
      ['gpu-box', { scheduler: 'direct', host: 'gpu.example.edu' }],
      ['k8s', { scheduler: 'kubernetes', kubernetes: { namespace: 'lab' } }],
      ['cloud', { scheduler: 'auto' }],
    ])
    expect(found.map(({ left }) => left.length)).toEqual([1, 0, 1, 1])
    for (const { name, profile } of found) checkSetting(['profiles', name], profile)
  })
})
