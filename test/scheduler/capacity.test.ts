import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sumNodes } from '../../src/core/capacity.ts'
import { FarcallError } from '../../src/core/errors.ts'
import type { CommandResult } from '../../src/core/shell.ts'
import { direct } from '../../src/scheduler/direct.ts'
import { pbs } from '../../src/scheduler/pbs.ts'
import { readNodeState as pbsNodeState } from '../../src/scheduler/pbs-nodes.ts'
import type { Scheduler } from '../../src/scheduler/scheduler.ts'
import { sge } from '../../src/scheduler/sge.ts'
import { slurm } from '../../src/scheduler/slurm.ts'
import { readNodeState } from '../../src/scheduler/slurm-capacity.ts'
import { gpuCount, gpusIn } from '../../src/scheduler/slurm-gres.ts'
import { torque } from '../../src/scheduler/torque.ts'

const folder = new URL('../fixtures/scheduler/', import.meta.url)
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8')

const answer = (stdout: string, more: Partial<CommandResult> = {}): CommandResult => ({
  exitCode: 0,
  stderr: '',
  stdout: Buffer.from(stdout),
  ...more,
})
function recorded(name: string): CommandResult {
  const { stdout, ...more } = JSON.parse(read(`${name}.json`))
  return answer(stdout, more)
}

const site = sge.site!.adapt(recorded('sge/site'), { scheduler: 'sge' })
const [mebi, kibi] = [2 ** 20, 2 ** 10]

describe('nodes together', () => {
  it('have nothing free where they take no jobs, and every node is counted once', () => {
    const states = ['idle', 'allocated', 'down', 'drained', 'other'] as const
    const node = fc.record({ state: fc.constantFrom(...states), used: fc.nat(8), more: fc.nat(8) })
    fc.assert(
      fc.property(fc.array(node), (all) => {
        const { nodes, cores } = sumNodes(
          all.map(({ state, used, more }) => ({ state, cores: { total: used + more, used } })),
        )
        const { total, ...rest } = nodes
        expect(Object.values(rest).reduce((sum, count) => sum + count, 0)).toBe(total)
        const takesJobs = all.filter(({ state }) => state === 'idle' || state === 'allocated')
        expect(cores?.free ?? 0).toBe(takesJobs.reduce((sum, { more }) => sum + more, 0))
      }),
    )
  })
})

describe('Slurm', () => {
  it('tells cores, memory and GPUs apart from what jobs have, and from nodes that are drained or down', () => {
    const [short, long] = slurm.parseCapacity(recorded('slurm/capacity'))
    expect(short).toEqual({
      name: 'short',
      isDefault: true,
      up: true,
      timeLimitSeconds: 86_400,
      nodes: { total: 4, idle: 0, allocated: 2, down: 1, drained: 1, other: 0 },
      cores: { total: 16, used: 4, free: 4 },
      memory: { total: 16_000 * mebi, used: 600 * mebi, free: 7_400 * mebi },
      gpus: { total: 4, used: 1, free: 1, kinds: { a100: { total: 4, used: 1, free: 1 } } },
    })
    expect(long).toMatchObject({ name: 'long', isDefault: false, cores: short!.cores })
    expect(long).not.toHaveProperty('timeLimitSeconds')
  })

  it('reads every word for a node', () => {
    const words =
      'idle idle* idle~ idle# idle% idle! idle$ idle@ idle^ idle- mixed mixed* mixed- mixed+ allocated allocated+ allocated~ allocated# completing completing* down down* down~ fail failing drained drained* draining draining@ maint reserved planned blocked perfctrs power_down powering_up reboot future unknown inval no_respond'
    const states = words.split(' ').map((word) => [word, readNodeState(word)])
    expect(Object.fromEntries(states)).toMatchInlineSnapshot(`
      {
        "allocated": "allocated",
        "allocated#": "allocated",
        "allocated+": "allocated",
        "allocated~": "allocated",
        "blocked": "other",
        "completing": "allocated",
        "completing*": "down",
        "down": "down",
        "down*": "down",
        "down~": "down",
        "drained": "drained",
        "drained*": "drained",
        "draining": "drained",
        "draining@": "drained",
        "fail": "down",
        "failing": "down",
        "future": "down",
        "idle": "idle",
        "idle!": "other",
        "idle#": "idle",
        "idle$": "other",
        "idle%": "other",
        "idle*": "down",
        "idle-": "other",
        "idle@": "other",
        "idle^": "other",
        "idle~": "idle",
        "inval": "down",
        "maint": "other",
        "mixed": "allocated",
        "mixed*": "down",
        "mixed+": "allocated",
        "mixed-": "other",
        "no_respond": "down",
        "perfctrs": "other",
        "planned": "other",
        "power_down": "other",
        "powering_up": "other",
        "reboot": "other",
        "reserved": "other",
        "unknown": "down",
      }
    `)
    fc.assert(fc.property(fc.string(), (word) => typeof readNodeState(word) === 'string'))
  })

  it.each([
    ['(null)', {}],
    ['gpu:4', { '': 4 }],
    ['gpu:0', { '': 0 }],
    ['gpu:a100:2(S:0-1)', { a100: 2 }],
    ['gpu:a100:1(IDX:0,2),gpu:v100:0(IDX:N/A)', { a100: 1, v100: 0 }],
    ['gpu:3090:2(S:0,1),shard:8,craynetwork:4', { '3090': 2 }],
    ['gpu:a100_1g.5gb:7', { 'a100_1g.5gb': 7 }],
    ['gres:gpu:2', { '': 2 }],
    ['cpu=2,mem=1G,gres/gpu:a100=3,gres/gpu=3', { a100: 3, '': 3 }],
  ])('reads GPUs of %s', (text, kinds) => {
    expect(Object.fromEntries(gpusIn(text))).toEqual(kinds)
  })

  it('counts trackable GPUs once, where the sum stands beside the kinds', () => {
    expect(gpuCount('gres/gpu:a100=3,gres/gpu=3')).toBe(3)
    expect(gpuCount('gpu:a100:2,gpu:v100:1')).toBe(3)
    expect(gpuCount('N/A')).toBeUndefined()
  })

  it('lists the queue: whose, how large, why it waits', () => {
    const { user, jobs } = slurm.parseQueue!(recorded('slurm/everyone'))
    expect(user).toBe('someone')
    const byId = Object.fromEntries(jobs.map((job) => [job.nativeId, job]))
    expect(jobs.map((job) => job.nativeId)).toEqual(['4', '3_[2-9%2]', '2', '1', '3_0', '3_1'])
    expect(byId['1']).toMatchObject({
      name: 'a|b c',
      user: 'someone',
      partition: 'short',
      status: { state: 'ACTIVE', native: 'RUNNING' },
      nodes: 1,
      cores: 2,
      gpus: 1,
      memory: 500 * mebi,
      timeLimitSeconds: 600,
      elapsedSeconds: expect.any(Number),
      submittedAt: expect.any(Number),
      startedAt: expect.any(Number),
      where: 'n1',
    })
    expect(byId['2']).toMatchObject({
      gpus: 2,
      status: { state: 'QUEUED', reason: 'held' },
      timeLimitSeconds: 86_400,
    })
    expect(byId['2']).not.toHaveProperty('startedAt')
    expect(byId['3_[2-9%2]']).toMatchObject({ members: 8, status: { state: 'QUEUED' } })
    expect(byId['4']).toMatchObject({ user: 'root', nodes: 2 })
    expect(slurm.parseQueue!(recorded('slurm/mine')).jobs.map((job) => job.user)).toEqual(
      Array.from({ length: 5 }, () => 'someone'),
    )
  })

  it('takes a controller that does not answer for no answer', () => {
    expect(() => slurm.parseQueue!(recorded('slurm/squeue-unreachable'))).toThrow(
      expect.objectContaining({ code: 'COMMAND_FAILED', transient: true }),
    )
  })
})

describe('Grid Engine', () => {
  it('counts slots and GPUs of a node once, whichever queue jobs are in', () => {
    const queues = site.parseCapacity(recorded('sge/capacity'))
    expect(queues).toMatchObject([
      {
        name: 'all.q',
        up: true,
        nodes: { total: 1, idle: 0, allocated: 1, down: 0, drained: 0, other: 0 },
        cores: { used: 4, free: 12 },
        gpus: { total: 2, used: 2, free: 0 },
      },
      {
        name: 'short.q',
        timeLimitSeconds: 600,
        nodes: { total: 1, idle: 1 },
        // The node's own slots are taken by jobs of the other queue.
        cores: { used: 0, free: 12 },
        gpus: { total: 2, used: 2, free: 0 },
      },
    ])
    for (const { memory } of queues) {
      expect(memory!.total).toBeGreaterThan(2 ** 30)
      expect(memory!.free).toBe(memory!.total - memory!.used)
    }
  })

  it('has nothing free in a queue that is disabled', () => {
    const [all] = site.parseCapacity(recorded('sge/capacity-disabled'))
    expect(all).toMatchObject({
      up: false,
      nodes: { total: 1, drained: 1, allocated: 0 },
      cores: { free: 0 },
      gpus: { total: 2, used: 2, free: 0 },
    })
  })

  it('lists the queue', () => {
    const { user, jobs } = site.parseQueue!(recorded('sge/everyone'))
    expect(user).toBe('someone')
    expect(jobs).toMatchObject([
      {
        nativeId: '1',
        name: 'gpujob',
        user: 'someone',
        partition: 'all.q',
        status: { state: 'ACTIVE', native: 'r' },
        cores: 2,
        gpus: 2,
        timeLimitSeconds: 300,
        startedAt: expect.any(Number),
        where: 'localhost',
      },
      { nativeId: '2.1', name: 'arr<a>&', cores: 1 },
      { nativeId: '2.2' },
      { nativeId: '2.3-40:1', members: 38, partition: 'all.q', status: { state: 'QUEUED' } },
      { nativeId: '3', user: 'root', status: { state: 'QUEUED', reason: 'held' } },
    ])
    const [first] = jobs
    expect(Math.abs(first!.startedAt! - Date.UTC(2026, 10, 29))).toBeLessThan(2 * 86_400_000)
  })
})

describe('PBS', () => {
  it('gives each queue its own nodes, and counts nothing of those that are down, offline or reserved as free', () => {
    const queues = pbs.parseCapacity(answer(read('pbs/capacity-pbs.txt')))
    expect(queues).toEqual([
      {
        name: 'workq',
        isDefault: true,
        up: true,
        timeLimitSeconds: 259_200,
        nodes: { total: 4, idle: 0, allocated: 2, down: 1, drained: 1, other: 0 },
        cores: { total: 92, used: 16, free: 28 },
        memory: {
          total: (131_659_892 + 3 * 97_586_176) * kibi,
          used: 73_400_320 * kibi,
          free: (131_659_892 - 73_400_320 + 97_586_176) * kibi,
        },
        gpus: { total: 9, used: 1, free: 2, kinds: {} },
      },
      {
        name: 'gpu',
        isDefault: false,
        up: true,
        nodes: { total: 3, idle: 0, allocated: 1, down: 1, drained: 1, other: 0 },
        cores: { total: 72, used: 4, free: 20 },
        memory: { total: 3 * 97_586_176 * kibi, used: 0, free: 97_586_176 * kibi },
        gpus: { total: 9, used: 1, free: 2, kinds: {} },
      },
      {
        name: 'maint',
        isDefault: false,
        up: false,
        nodes: { total: 1, idle: 0, allocated: 0, down: 0, drained: 0, other: 1 },
        cores: { total: 64, used: 0, free: 0 },
        memory: { total: 527_672_492 * kibi, used: 0, free: 0 },
        gpus: { total: 4, used: 0, free: 0, kinds: {} },
      },
      { name: 'all', isDefault: false, up: true },
    ])
  })

  it('reads the nodes of Torque: cores by the list of jobs, GPUs by their own state', () => {
    const [gpu, cpu] = torque.parseCapacity(answer(read('pbs/capacity-torque.txt')))
    expect(gpu).toMatchObject({
      name: 'gpu',
      nodes: { total: 2, allocated: 1, down: 1 },
      cores: { total: 80, used: 5, free: 35 },
      gpus: { total: 3, used: 1, free: 1 },
    })
    expect(cpu).toMatchObject({
      isDefault: true,
      nodes: { total: 3, allocated: 2, down: 1 },
      cores: { total: 120, used: 45, free: 35 },
      // The second node has jobs, and does not say whose its GPU is.
      gpus: { total: 4, used: 2, free: 1 },
    })
  })

  it('tells queues without their nodes where pbsnodes says nothing', () => {
    const text = read('pbs/capacity-pbs.txt').replace(/== nodes[\s\S]*/, '== nodes\n')
    expect(pbs.parseCapacity(answer(text))[0]).toEqual({
      name: 'workq',
      isDefault: true,
      up: true,
      timeLimitSeconds: 259_200,
    })
  })

  it('lists the queue', () => {
    const { user, jobs } = pbs.parseQueue!(answer(read('pbs/everyone-pbs.txt')))
    expect(user).toBe('somebody')
    expect(jobs).toMatchObject([
      {
        nativeId: '42634.sirius-pbs',
        user: 'somebody',
        partition: 'regular',
        nodes: 2,
        cores: 48,
        gpus: 8,
        timeLimitSeconds: 14_400,
        submittedAt: Date.UTC(2026, 8, 30, 3, 2, 11),
        status: { state: 'QUEUED' },
      },
      {
        nativeId: '42635.sirius-pbs',
        name: 'a = b',
        user: 'other',
        status: { state: 'ACTIVE' },
        elapsedSeconds: 4364,
      },
      { nativeId: '42637[].sirius-pbs', members: 9, status: { state: 'ACTIVE' } },
    ])
  })

  it.each([
    ['free', false, 'idle'],
    ['free', true, 'allocated'],
    ['job-busy', true, 'allocated'],
    ['busy', false, 'other'],
    ['down,offline', false, 'down'],
    ['offline,job-busy', true, 'drained'],
    ['state-unknown,down', false, 'down'],
    ['resv-exclusive', false, 'other'],
    ['maintenance', false, 'other'],
    ['anything new', false, 'other'],
  ] as const)('a node that is %s (jobs: %s) is %s', (word, runs, state) => {
    expect(pbsNodeState(word, runs)).toBe(state)
  })
})

describe('this machine', () => {
  const facts = `name here
cores 8
load 2.61
MemTotal:       16384 kB
MemAvailable:   4096 kB
`
  // In the form of nvidia-smi's documentation: --format=csv,noheader.
  const gpus = `gpu GPU-1, NVIDIA A100-SXM4-40GB
gpu GPU-2, NVIDIA A100-SXM4-40GB
gpu GPU-3, NVIDIA T4
busy GPU-2
busy GPU-2
`

  it('has what /proc and nvidia-smi tell', () => {
    expect(direct.parseCapacity(answer(facts + gpus))).toEqual([
      {
        name: 'here',
        isDefault: true,
        up: true,
        nodes: { total: 1, idle: 0, allocated: 1, down: 0, drained: 0, other: 0 },
        cores: { total: 8, used: 3, free: 5 },
        memory: { total: 16_384 * kibi, used: 12_288 * kibi, free: 4096 * kibi },
        gpus: {
          total: 3,
          used: 1,
          free: 2,
          kinds: {
            'NVIDIA A100-SXM4-40GB': { total: 2, used: 1, free: 1 },
            'NVIDIA T4': { total: 1, used: 0, free: 1 },
          },
        },
      },
    ])
  })

  it('has no more memory than its container is allowed, where there is a limit', () => {
    const memory = (more: string) => direct.parseCapacity(answer(facts + more))[0]!.memory
    expect(memory('cgroup memory.max 1024000\ncgroup memory.current 24000\n')).toEqual({
      total: 1_024_000,
      used: 24_000,
      free: 1_000_000,
    })
    const none = 16_384 * kibi
    expect(memory('cgroup memory.max max\n')!.total).toBe(none)
    expect(memory('cgroup memory.limit_in_bytes 9223372036854771712\n')!.total).toBe(none)
  })
})

describe('hostile bytes', () => {
  const words = fc.constantFrom(
    ...'me x\n|zone +0200\n|== nodes\n|== server\n|== limits\n|Queue: q\n|    queue_type = Route\n|n1\n|     state = free\n|a*|up|1:00|1/1/1/3|\n|a|n|idle|1/2/3/4|5|6|gpu:2|gpu:1|\n|<Queue-List>|</Queue-List>|<name>a@b</name>|<qtype>B</qtype>|<job_list>|</job_list>|<slots>99</slots>|<tasks>1-9999999999</tasks>|Job Id: 1[].s\n|    job_state = B\n|    Resource_List.select = 9999999999:ngpus=99+\n|cores 9\n'.split(
      '|',
    ),
  )
  const text = fc.array(fc.oneof(fc.string(), words)).map((parts) => parts.join(''))
  const all: readonly Scheduler[] = [slurm, site, pbs, torque, direct]

  it.each(all.map((one) => [one.name, one] as const))('of %s end in nothing but a FarcallError', (_, one) => {
    fc.assert(
      fc.property(text, fc.constantFrom(0, 1, 127), (stdout, exitCode) => {
        for (const parse of [one.parseCapacity, one.parseQueue])
          try {
            parse?.(answer(stdout, { exitCode }))
          } catch (error) {
            expect(error).toBeInstanceOf(FarcallError)
          }
      }),
    )
  })
})
