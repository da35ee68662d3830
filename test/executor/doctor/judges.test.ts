import { describe, expect, it } from 'vitest'
import { judgeClocks } from '../../../src/executor/doctor/clocks.ts'
import { judgeComputeNode, judgeJob } from '../../../src/executor/doctor/compute-node.ts'
import { readAnswer, tinyResources } from '../../../src/executor/doctor/job.ts'
import { judgeNode, judgeQuota, judgeSpace, parseQuota } from '../../../src/executor/doctor/login-node.ts'
import { judgeMissing, judgePartitions } from '../../../src/executor/doctor/scheduler.ts'
import { span } from '../../../src/executor/doctor/step.ts'
import { readSurvey, type Survey, shownLibc } from '../../../src/executor/doctor/survey.ts'
import { judgeName, judgePort } from '../../../src/executor/doctor/way.ts'
import { slurm } from '../../../src/scheduler/slurm.ts'

const way = { alias: 'hpc', host: 'login.hpc.edu', port: 22 }

const survey: Survey = readSurvey(
  [
    'host login1',
    'machine Linux x86_64',
    'disk nas:/home 1000000 400000 600000 40% /home',
    'type nfs4',
    'write.ns 12000000',
    'node.path /usr/bin/node',
    'node.version v20.20.2',
    'libc glibc 2.36',
  ].join('\n'),
)

describe('the way to the host', () => {
  it('tells a slow name server with its figure, and an alias with where it leads', () => {
    const slow = judgeName(way, { addresses: ['10.0.0.7', '10.0.0.8'], ms: 5_012 })
    expect(slow.verdict).toBe('slow')
    expect(slow.found).toBe('hpc is login.hpc.edu by ~/.ssh/config, 10.0.0.7 and 1 more (5 s)')
    expect(
      judgeName({ ...way, alias: '10.0.0.7', host: '10.0.0.7' }, { addresses: ['10.0.0.7'], ms: 0 }),
    ).toEqual({
      name: 'name',
      verdict: 'ok',
      found: '10.0.0.7, an address',
      facts: { host: '10.0.0.7', addresses: ['10.0.0.7'], seconds: 0 },
    })
    expect(
      judgeName({ ...way, leadsTo: 'node.hpc.edu' }, { addresses: ['10.0.0.7'], ms: 1 }).found,
    ).toContain('the jump host on the way to node.hpc.edu')
    expect(judgeName(way, { addresses: [], failure: 'EAI_AGAIN', ms: 1 }).found).toContain(
      'no name server answers',
    )
  })

  it.each([
    ['timeout', /gives no answer on port 22 within 10 s/, /firewall/],
    ['EHOSTUNREACH', /no route/, /VPN/],
    ['closed', /closes it at once/, /banned/],
    ['silent', /says nothing for 10 s/, /ssh -v/],
    ['EPROTO', /EPROTO/, /ssh -v/],
  ])('tells what %s means', (failure, found, hint) => {
    const step = judgePort(way, { failure, ms: 10_000 })
    expect(step).toMatchObject({ verdict: 'failed', code: 'HOST_UNREACHABLE' })
    expect(step.found).toMatch(found)
    expect(step.hint).toMatch(hint)
  })
})

describe('the login node', () => {
  const full =
    'Disk quotas for user me (uid 1000):\nFilesystem blocks quota limit grace files quota limit grace\n'

  it('reads quotas as the tools print them', () => {
    const words = `${full}nas:/home 10240* 10240 12288 6days 120 1000 1200\n/dev/sdb1 5 0 0 7 0 0\n`
    expect(parseQuota(words)).toEqual([
      { place: 'nas:/home', used: 10_485_760, limit: 10_485_760, files: 120, fileLimit: 1000 },
    ])
    expect(parseQuota('/lustre 900 0 1000 - 950000* 1000000 1000000 -')).toEqual([
      { place: '/lustre', used: 921_600, limit: 1_024_000, files: 950_000, fileLimit: 1_000_000 },
    ])
    expect(parseQuota('Disk quotas for user me (uid 1000): none')).toEqual([])
  })

  it('tells a quota that is used up: by the write that fails, or by its figures', () => {
    const failed = { ...survey, write: { failure: 'head: write error: Disk quota exceeded', seconds: 0 } }
    expect(judgeQuota(failed)).toMatchObject({
      verdict: 'failed',
      found: 'your quota is used up: writing a megabyte said "Disk quota exceeded"',
      hint: expect.stringContaining('du -xh'),
    })
    expect(judgeSpace(failed, '/home/me/.farcall', {}, false).verdict).toBe('ok')
    const figures = {
      ...survey,
      quota: { quota: `${full}nas:/home 10240* 10240 12288 6days 1 0 0`, lustre: '' },
    }
    expect(judgeQuota(figures)).toMatchObject({
      verdict: 'failed',
      found: 'your quota is used up: nas:/home: 10 MB of 10 MB',
    })
    const nearly = { ...survey, quota: { quota: '', lustre: '/lustre 1 0 0 - 950 1000 1000 -' } }
    expect(judgeQuota(nearly)).toMatchObject({
      verdict: 'warning',
      found: 'nearly used up: /lustre: 950 of 1000 files',
    })
  })

  it('holds the disk to what a submission will ask of it', () => {
    const low = { ...survey, disk: { ...survey.disk, free: 10_000, size: 10_000_000_000 } }
    expect(judgeSpace(low, '/w', {}, false)).toMatchObject({ verdict: 'failed', code: 'DISK_LOW' })
    expect(judgeSpace(low, '/w', { minFree: 0 }, false).verdict).toBe('ok')
    const memory = { ...survey, disk: { ...survey.disk, type: 'tmpfs' } }
    expect(judgeSpace(memory, '/w', { minFree: 0 }, false).verdict).toBe('warning')
    expect(judgeSpace(memory, '/w', { minFree: 0 }, true).verdict).toBe('ok')
  })

  it('tells of Node, which is looked for where jobs run', () => {
    const none = { ...survey, node: { path: '', version: '', failure: '' } }
    expect(judgeNode(none, true).found).toContain('a compute node is asked below')
    expect(judgeNode(none, false).found).toContain('farcall sends one')
    expect(judgeNode({ ...survey, node: { ...survey.node, version: 'v12.22.0' } }, true).found).toContain(
      'too old',
    )
  })

  it('names the C library', () => {
    expect(shownLibc('glibc 2.28')).toBe('glibc 2.28')
    expect(shownLibc('ldd (GNU libc) 2.17\nCopyright')).toBe('glibc 2.17')
    expect(shownLibc('musl libc (x86_64)\nVersion 1.2.3')).toBe('musl 1.2.3')
    expect(shownLibc('sh: ldd: not found')).toBe('')
  })
})

describe('the scheduler', () => {
  const nodes = { total: 4, idle: 1, allocated: 3, down: 0, drained: 0, other: 0 }

  it('names the one whose commands are there', () => {
    expect(judgeMissing({ name: 'slurm' }, ['pbs']).hint).toBe('set `scheduler: pbs` in the profile')
    expect(judgeMissing({ name: 'direct', immediate: true }, []).hint).toContain('needs Linux')
  })

  it('tells partitions that take nothing, and those that are not meant', () => {
    const down = { name: 'gpu', isDefault: false, up: false, nodes }
    const up = { name: 'cpu', isDefault: true, up: true, nodes }
    expect(judgePartitions([down, up], { partition: 'gpu' }).verdict).toBe('warning')
    expect(judgePartitions([down, up], {}).verdict).toBe('ok')
    expect(judgePartitions([{ ...up, isDefault: false }], {}).found).toBe(
      'no partition is the default; there are cpu',
    )
    expect(judgePartitions([], {}).verdict).toBe('failed')
    expect(judgePartitions([down, up], { partition: 'cpu,gpu' }).verdict).toBe('ok')
  })
})

describe('the job', () => {
  it('asks for little, and for all that decides where it may run', () => {
    const asked = tinyResources({
      partition: 'gpu',
      account: 'abc',
      cores: 64,
      nodes: 4,
      memoryBytes: 1e11,
      gpus: { count: 1 },
      timeSeconds: 86_400,
      dependency: 'afterok:1',
    })
    expect(asked).toEqual({ partition: 'gpu', account: 'abc', gpus: { count: 1 }, timeSeconds: 120 })
  })

  it('reads the report, whatever stands in it', () => {
    expect(readAnswer('')).toBeUndefined()
    const read = readAnswer(
      '1700000000\nhost n1\nproblem.reason a\nproblem.message a\x01b\nms 1700000000500\nseen 240\n',
    )
    expect(read).toMatchObject({ thereAndBack: 0.24, report: { host: 'n1', clock: 1_700_000_000.5 } })
    expect(read?.report?.problem?.message).toBe('a\nb')
  })

  it('tells whether a Node can be sent where there is none', () => {
    const needs = (glibc: string, arch = 'x86_64') =>
      readAnswer(
        `1\nhost n1\nmachine Linux ${arch}\nneed.arch ${arch}\nneed.glibc ${glibc}\nneed.musl false\nneed.missed no node on PATH\n`,
      )!.report!
    expect(judgeComputeNode(needs('2.36'))).toMatchObject({
      verdict: 'ok',
      found: expect.stringContaining('farcall sends one (linux-x64) with the first call'),
    })
    expect(judgeComputeNode(needs('2.17'), '20')).toMatchObject({
      verdict: 'failed',
      code: 'INTERPRETER_MISSING',
      found: 'n1 has glibc 2.17, and Node 20 needs 2.28',
    })
    expect(judgeComputeNode(needs('2.36', 'ppc64le')).found).toContain('farcall has no Node for ppc64le')
    const found = readAnswer(
      '1\nhost n1\nnode.path /sw/node\nnode.version v20.0.0\nnode.from module:nodejs/20\n',
    )!
    expect(judgeComputeNode(found.report!).found).toMatch(
      /^v20.0.0 at \/sw\/node, of module nodejs\/20, on n1/,
    )
  })

  it('tells an end without a word by what the scheduler says', () => {
    const answer = {
      nativeId: '7',
      seconds: 9,
      status: { state: 'FAILED', native: 'NODE_FAIL', reason: 'node-failure' },
    } as const
    expect(judgeJob(answer, '/w', slurm, {})[0]?.found).toBe('job 7 ended without a word: NODE_FAIL')
    expect(judgeJob({ nativeId: '7', seconds: 40 }, '/w', slurm, {})[0]?.hint).toContain(
      'does not share the work folder',
    )
  })

  it('tells a folder that lags, and one that never shows', () => {
    const report = readAnswer('1\nhost n1\nnode.version v20.0.0\n')!.report!
    const folder = (thereAndBack?: number) =>
      judgeJob(
        { nativeId: '7', seconds: 1, report, ...(thereAndBack === undefined ? {} : { thereAndBack }) },
        '/w',
        slurm,
        {},
      ).at(-1)
    expect(folder(12.4)).toMatchObject({ verdict: 'slow', found: 'n1 sees /w; there and back takes 12.4 s' })
    expect(folder()).toMatchObject({ verdict: 'slow', found: expect.stringContaining('not within 30 s') })
  })
})

describe('clocks', () => {
  it('are the same within what can be measured', () => {
    expect(judgeClocks({ login: 1.2, uncertainty: 1, node: -0.4 }).verdict).toBe('ok')
    expect(judgeClocks({ login: 6.5, uncertainty: 2 }).verdict).toBe('ok')
    // A report that is seen late looks like a clock that is behind; one that is ahead is none.
    expect(judgeClocks({ login: 0, uncertainty: 1, node: -12, lag: 14 }).verdict).toBe('ok')
    expect(judgeClocks({ login: 0, uncertainty: 1, node: -30, lag: 14 }).verdict).toBe('warning')
    expect(judgeClocks({ login: 0, uncertainty: 1, node: 12, lag: 14 }).verdict).toBe('warning')
  })

  it('are told apart, with the hour that a time zone makes', () => {
    const step = judgeClocks({ login: 0, uncertainty: 1, node: -7_203 })
    expect(step.found).toBe("the compute node's clock is 2 h behind the login node's")
    expect(step.hint).toContain('a whole number of hours')
    expect(judgeClocks({ login: 95, uncertainty: 1 }).hint).not.toContain('whole number')
  })

  it('are shown in units that people read', () => {
    expect([0.0034, 1.44, 119, 600, 3_600, 3_900, 259_200].map(span)).toEqual([
      '3 ms',
      '1.4 s',
      '119 s',
      '10 min',
      '1 h',
      '1 h 5 min',
      '3 days',
    ])
  })
})
