import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FarcallError, SubmitError } from '../../src/core/errors.ts'
import { resolveResources } from '../../src/core/resolve-resources.ts'
import type { Resources } from '../../src/core/resources.ts'
import type { CommandResult } from '../../src/core/shell.ts'
import { isFinal } from '../../src/core/status.ts'
import { renderDirectives } from '../../src/scheduler/directives.ts'
import { pbs, pbsName } from '../../src/scheduler/pbs.ts'
import { queryScript } from '../../src/scheduler/pbs-scripts.ts'
import { pbsStatus } from '../../src/scheduler/pbs-status.ts'
import type { Directives, QueueSnapshot } from '../../src/scheduler/scheduler.ts'
import { torque } from '../../src/scheduler/torque.ts'

const folder = new URL('../fixtures/scheduler/pbs/', import.meta.url)

/** A recorded answer of `qstat`, through the filter that our script puts behind it. */
function filtered(name: string, exitCode = 0): CommandResult {
  const recorded = readFileSync(new URL(name, folder), 'utf8')
  const filter = queryScript.slice(queryScript.indexOf('| awk') + 2)
  const input = `${recorded}farcall-exit ${exitCode}\n`
  return answer(execFileSync('sh', ['-c', filter], { input, encoding: 'utf8' }))
}

function answer(stdout: string, more: Partial<CommandResult> = {}): CommandResult {
  return { exitCode: 0, stdout: Buffer.from(stdout), stderr: '', ...more }
}

function brief(snapshot: QueueSnapshot): Record<string, unknown> {
  return Object.fromEntries(
    [...snapshot].map(([id, { status, members }]) => [
      id,
      members
        ? Object.fromEntries([...members].map(([index, { state, reason }]) => [index, `${state} ${reason}`]))
        : `${status.state}${status.reason ? ` ${status.reason}` : ''}`,
    ]),
  )
}

function lines(scheduler: typeof pbs, resources: Resources, more: Directives = {}): string[] {
  return renderDirectives(scheduler, { ...resolveResources(resources), ...more }).map((line) => line.slice(5))
}

const usual = ['-S /bin/sh', '-j oe', '-o /dev/null', '-r n']

describe('directives of PBS', () => {
  it('are one chunk a node, with all that a node is asked for', () => {
    expect(
      lines(pbs, {
        name: 'my study',
        cores: 4,
        memory: '16GB',
        time: '36h',
        gpus: 2,
        nodes: 2,
        tasksPerNode: 3,
        queue: 'long',
        account: 'abc',
        priority: 5,
        mailType: ['END', 'FAIL'],
        mailUser: 'me@example.org',
        dependency: ['afterok:1.pbs', 'afterany:2.pbs'],
        native: ['-l software=matlab'],
      }),
    ).toEqual([
      '-N my_study',
      '-q long',
      '-A abc',
      '-l walltime=36:00:00',
      '-W depend=afterok:1.pbs,afterany:2.pbs',
      '-p 5',
      '-m ea',
      '-M me@example.org',
      ...usual,
      '-l select=2:ncpus=12:mpiprocs=3:mem=16777216kb:ngpus=2',
      '-l place=scatter',
      '-l software=matlab',
    ])
    expect(lines(pbs, {})).toEqual(usual)
    expect(lines(pbs, { nodelist: ['n1', 'n2'], cores: 2, nodes: 3 })).toContain(
      '-l select=1:ncpus=2:host=n1+1:ncpus=2:host=n2+1:ncpus=2',
    )
    expect(lines(pbs, { exclusive: true, reservation: 'R12' })).toEqual(['-q R12', '-l place=excl', ...usual])
  })

  it('have one range for an array, with two numbers in it at least', () => {
    const array = (more: Directives['array']) => lines(pbs, {}, { array: more! })[0]
    expect(array({ size: 10 })).toBe('-J 0-9')
    expect(array({ size: 10, concurrency: 3 })).toBe('-J 0-9%3')
    expect(array({ size: 10, only: [4] })).toBe('-J 0-1:2')
    expect(array({ size: 10, only: [1, 2, 8] })).toBe('-J 0-2')
  })

  it('refuse what cannot be said', () => {
    for (const resources of [
      { gpus: 'a100:2' },
      { exclude: 'n1' },
      { licenses: 'matlab' },
      { signal: 'USR1@60' },
      { requeue: true },
      { qos: 'high' },
      { mailType: 'TIME_LIMIT' },
      { nodes: 1, nodelist: 'n1,n2' },
    ] as Resources[])
      expect(() => lines(pbs, resources), JSON.stringify(resources)).toThrow(
        expect.objectContaining({ code: 'RESOURCE_UNSUPPORTED', hint: expect.stringMatching(/./) }),
      )
  })

  it('of Torque name nodes and processors, and the memory of all nodes', () => {
    expect(
      lines(torque, { cores: 2, tasksPerNode: 4, nodes: 3, memory: '1GB', constraint: 'ib', gpus: 1 }),
    ).toEqual([...usual, '-l nodes=3:ppn=8:gpus=1:ib', '-l mem=3145728kb'])
    expect(lines(torque, { nodelist: ['n1', 'n2'], cores: 2 })).toContain('-l nodes=n1:ppn=2+n2:ppn=2')
    expect(lines(torque, { nodelist: ['n1', 'n2'], memory: '1GB' })).toContain('-l mem=2097152kb')
    expect(lines(torque, {}, { array: { size: 9, only: [1, 2, 3, 7], concurrency: 2 } })[0]).toBe('-t 0-3%2')
  })

  it('have a name that PBS takes, whatever it is called', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (name) => {
        expect(pbsName(name)).toMatch(/^[A-Za-z][\w.+-]{0,14}$/)
      }),
    )
  })
})

describe('answers of PBS', () => {
  it('that were recorded are understood', () => {
    expect(brief(pbs.parseQuery(filtered('qstat-x-mixed.txt')))).toEqual({
      '42634.sirius-pbs': 'QUEUED',
      '42635.sirius-pbs': 'ACTIVE',
      '42636.sirius-pbs': 'COMPLETED',
      '42637.sirius-pbs': 'CANCELED',
    })
    const [late] = [...pbs.parseQuery(filtered('qstat-x-walltime.txt')).values()]
    expect(late!.status).toEqual({
      state: 'FAILED',
      reason: 'timeout',
      native: 'F, Exit_status 271',
      signal: 15,
      message: 'Job run at Wed Jun 24 at 15:33 on (gc-prd-hpcn001:ncpus=1) and failed',
      elapsed: 49,
      peakMemory: 3548 * 1024,
      cpuTime: 0,
    })
  })

  it('of Torque as well, of members too, whatever is in their variables', () => {
    const snapshot = torque.parseQuery(filtered('qstat-torque.txt'))
    expect(snapshot.get('9.torque01.bcgsc.ca')!.status).toMatchObject({ state: 'COMPLETED', elapsed: 60 })
    expect(snapshot.get('48[].torque01.bcgsc.ca')!.members!.get(1)).toMatchObject({
      state: 'CANCELED',
      message:
        'Job 48[].torque01.bcgsc.ca deleted because its dependency of array 43[].torque01.bcgsc.ca can never be satisfied',
    })
  })

  it('name the script that a job was made from', () => {
    const { findSubmitted } = torque
    const recorded = filtered('qstat-torque.txt')
    expect(findSubmitted!.parse(recorded, '/projects/annotate/submit.sh')).toBe('48[].torque01.bcgsc.ca')
    expect(findSubmitted!.parse(recorded, '/projects/other.sh')).toBeUndefined()
  })

  it('tell jobs that are not known, or over, from no answer', () => {
    const unknown = { stderr: 'qstat: Unknown Job Id 99.pbs\n' }
    expect(pbs.parseQuery(answer('farcall-exit 153\n', unknown)).size).toBe(0)
    const over = {
      stderr: 'qstat: 7.pbs Job has finished, use -x or -H to obtain historical job information\n',
    }
    expect(pbs.parseQuery(answer('farcall-exit 35\n', over)).size).toBe(0)
    const down = { stderr: 'Connection refused\nqstat: cannot connect to server pbs (errno=111)\n' }
    expect(() => pbs.parseQuery(answer('farcall-exit 111\n', down))).toThrow(
      expect.objectContaining({
        code: 'COMMAND_FAILED',
        transient: true,
        message: expect.stringContaining('cannot connect'),
      }),
    )
    expect(() => pbs.parseQuery(answer('farcall-exit 127\n'))).toThrow(
      expect.objectContaining({ code: 'SCHEDULER_MISSING' }),
    )
    expect(pbs.parseQuery(answer('')).size).toBe(0)
  })

  it('tell limits, as the server is set to them for this user', () => {
    const { array } = pbs
    const said = (lines: string) => answer(`Server pbs-1\n${lines}\nfarcall-user ada\n`)
    const limits = (lines: string, of = array!) => [
      of.parseSizeLimit!(said(lines)),
      of.parseSubmitLimit!(said(lines)),
    ]
    expect(limits('    server_state = Active\n    max_array_size = 10000')).toEqual([10_000, undefined])
    const [everybody, own] = ['[u:PBS_GENERIC=200],[o:PBS_ALL=1000]', '[u:ada=50],[u:PBS_GENERIC=200]']
    expect(limits(`    max_queued = ${everybody}`)).toEqual([undefined, 200])
    expect(limits(`    max_queued = ${own}`)).toEqual([undefined, 50])
    expect(limits('    max_queued = [o:PBS_ALL=1000],\n\t[u:PBS_GENERIC=20]')).toEqual([undefined, 20])
    expect(limits('    max_queued = [g:PBS_GENERIC=9]')).toEqual([undefined, undefined])
    const older = '    max_job_array_size = 500\n    max_user_queuable = 80'
    expect(limits(older, torque.array)).toEqual([500, 80])
    const script = (lines: string) => pbs.scriptSize!.parse(said(lines))
    expect([script('    jobscript_max_size = 100mb'), script('')]).toEqual([100 * 2 ** 20, undefined])
    const size = (words: string) => array!.refusedSize!(words)
    expect(size('Array job exceeds server or queue size limit')).toEqual({})
    expect(
      size('submit error (Bad Job Array Request MSG=Requested array size too large, limit is 5)'),
    ).toEqual({
      most: 5,
    })
    expect(size('Unknown queue')).toBeUndefined()
  })

  it('give the id of a submission, or the reason why there is none', () => {
    expect(pbs.parseSubmit(answer('Welcome to hpc!\n1234.pbs-1\n'))).toBe('1234.pbs-1')
    expect(pbs.parseSubmit(answer('1234[].pbs-1.hpc.edu\n'))).toBe('1234[].pbs-1.hpc.edu')
    const refuse = (stderr: string, exitCode = 1) => {
      try {
        return pbs.parseSubmit(answer('', { stderr, exitCode }))
      } catch (error) {
        expect(error).toBeInstanceOf(SubmitError)
        const { code, message, hint, transient } = error as SubmitError
        return { code, message, hint, transient }
      }
    }
    expect(refuse('qsub: Unknown queue\n', 170)).toMatchObject({
      message: expect.stringMatching(/^Unknown queue/),
      hint: expect.stringContaining('qstat -Q'),
    })
    expect(refuse('qsub: cannot connect to server pbs (errno=111)\n')).toMatchObject({ transient: true })
    // as OpenPBS and Torque say it
    for (const said of [
      "would exceed queue's generic per-user limit",
      'Maximum number of jobs already in queue',
    ])
      expect(refuse(`qsub: ${said}\n`)).toMatchObject({ code: 'SUBMIT_LIMIT', transient: false })
    expect(refuse('qsub: Job violates queue and/or server resource limits\n', 188)).toMatchObject({
      code: 'SUBMIT_REFUSED',
    })
    expect(refuse('sh: qsub: not found\n', 127)).toMatchObject({ code: 'SCHEDULER_MISSING' })
    expect(refuse('')).toMatchObject({ message: expect.stringContaining('no job id') })
  })

  it.each([
    [{ letter: 'F', exitStatus: -29 }, 'FAILED', 'timeout'],
    [{ letter: 'F', exitStatus: -27 }, 'FAILED', 'out-of-memory'],
    [{ letter: 'F', exitStatus: -4 }, 'FAILED', 'node-failure'],
    [{ letter: 'F', exitStatus: -1 }, 'FAILED', 'launch-failed'],
    [{ letter: 'F', exitStatus: -999 }, 'FAILED', 'launch-failed'],
    [{ letter: 'F', exitStatus: 3 }, 'FAILED', 'exit-code'],
    [{ letter: 'F', exitStatus: 265 }, 'FAILED', 'signal'],
    [{ letter: 'F', exitStatus: 265, peakMemory: 5, memoryLimit: 4 }, 'FAILED', 'out-of-memory'],
    [
      { letter: 'F', exitStatus: 271, comment: 'job killed: vmem 192GB exceeded limit 190GB' },
      'FAILED',
      'out-of-memory',
    ],
    [{ letter: 'C', exitStatus: 271, elapsed: 60, timeLimit: 60 }, 'FAILED', 'timeout'],
    [{ letter: 'C', exitStatus: 271, elapsed: 5, timeLimit: 60 }, 'CANCELED', undefined],
    [{ letter: 'F', exitStatus: 271, substate: 93, elapsed: 5, timeLimit: 60 }, 'FAILED', 'signal'],
    [{ letter: 'F', substate: 91 }, 'CANCELED', undefined],
    [{ letter: 'X' }, 'COMPLETED', undefined],
    [{ letter: 'H', holdTypes: 'u' }, 'QUEUED', 'held'],
    [{ letter: 'H', holdTypes: 's', depends: true }, 'QUEUED', undefined],
    [{ letter: 'S' }, 'ACTIVE', 'suspended'],
    [{ letter: 'B' }, 'ACTIVE', undefined],
    [{ letter: 'M' }, 'QUEUED', undefined],
    [{ letter: '?' }, 'QUEUED', undefined],
  ] as const)('%j is %s %s', (facts, state, reason) => {
    const status = pbsStatus(facts)
    expect({ state: status.state, reason: status.reason }).toEqual({ state, reason })
  })

  it('that are anything at all end no job by an unknown letter, and are no other error than ours', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (letter, noise) => {
        fc.pre(!/^[FXC]$/.test(letter.trim()))
        const said = `Job Id: 1.pbs\n    job_state = ${letter}\n    comment = ${noise}\n${noise}\nfarcall-exit 0\n`
        for (const { status } of pbs.parseQuery(answer(said)).values())
          expect(isFinal(status.state)).toBe(false)
      }),
    )
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat(255), (stdout, stderr, exitCode) => {
        for (const read of [pbs.parseQuery, pbs.parseHistory!, pbs.parseSubmit])
          try {
            read(answer(stdout, { stderr, exitCode }))
          } catch (error) {
            expect(error).toBeInstanceOf(FarcallError)
          }
      }),
    )
  })
})
