import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FarcallError } from '../../src/core/errors.ts'
import { resolveResources } from '../../src/core/resolve-resources.ts'
import type { CommandResult } from '../../src/core/shell.ts'
import { isFinal } from '../../src/core/status.ts'
import { renderDirectives } from '../../src/scheduler/directives.ts'
import type { QueueSnapshot } from '../../src/scheduler/scheduler.ts'
import { slurm } from '../../src/scheduler/slurm.ts'

const folder = new URL('../fixtures/scheduler/slurm/', import.meta.url)

function recorded(name: string): CommandResult {
  const { exitCode, stdout, stderr } = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'))
  return { exitCode, stdout: Buffer.from(stdout), stderr }
}

function answer(stdout: string, more: Partial<CommandResult> = {}): CommandResult {
  return { exitCode: 0, stdout: Buffer.from(stdout), stderr: '', ...more }
}

function thrown(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}

/** id -> 'STATE/reason', for a look at many. */
function brief(snapshot: QueueSnapshot | undefined): Record<string, string> {
  return Object.fromEntries(
    [...snapshot!].map(([id, { status }]) => [
      id,
      `${status.state}${status.reason ? `/${status.reason}` : ''}${status.message ? ` (${status.message})` : ''}`,
    ]),
  )
}

describe('directives', () => {
  test('write every resource', () => {
    const resources = resolveResources({
      cores: 8,
      memory: '16GB',
      time: '36h',
      gpus: 'a100:2',
      nodes: 2,
      tasksPerNode: 4,
      queue: 'short',
      account: 'abc',
      qos: 'high',
      constraint: 'avx512&ib',
      reservation: 'course',
      nodelist: ['n1', 'n[3-5]'],
      exclude: 'n9',
      exclusive: true,
      licenses: ['matlab:2', 'x'],
      dependency: ['afterok:1', 'afterany:2'],
      priority: 100,
      mailType: ['END', 'FAIL'],
      mailUser: 'me@example.org',
      signal: 'USR1@90',
      requeue: false,
      native: ['--switches=1', '--comment="as given"'],
    })
    const array = { size: 100, concurrency: 7 }
    const lines = renderDirectives(slurm, { ...resources, name: 'study.run', log: '/home/me/log', array })
    expect(lines.join('\n')).toMatchInlineSnapshot(`
      "#SBATCH --job-name=study.run
      #SBATCH --partition=short
      #SBATCH --account=abc
      #SBATCH --qos=high
      #SBATCH --nodes=2
      #SBATCH --ntasks-per-node=4
      #SBATCH --cpus-per-task=8
      #SBATCH --mem=16384M
      #SBATCH --time=1-12:00:00
      #SBATCH --gres=gpu:a100:2
      #SBATCH --constraint=avx512&ib
      #SBATCH --reservation=course
      #SBATCH --nodelist=n1,n[3-5]
      #SBATCH --exclude=n9
      #SBATCH --exclusive
      #SBATCH --licenses=matlab:2,x
      #SBATCH --dependency=afterok:1,afterany:2
      #SBATCH --priority=100
      #SBATCH --mail-type=END,FAIL
      #SBATCH --mail-user=me@example.org
      #SBATCH --signal=B:USR1@90
      #SBATCH --no-requeue
      #SBATCH --array=0-99%7
      #SBATCH --output=/home/me/log
      #SBATCH --open-mode=append
      #SBATCH --switches=1
      #SBATCH --comment="as given""
    `)
  })

  test.each([
    [{ timeSeconds: 1 }, '--time=00:01:00'],
    [{ timeSeconds: 61 }, '--time=00:02:00'],
    [{ timeSeconds: 86_399 }, '--time=1-00:00:00'],
    [{ timeSeconds: 10 * 86_400 + 3600 }, '--time=10-01:00:00'],
    [{ memoryBytes: 1 }, '--mem=1M'],
    [{ memoryBytes: 1024 ** 2 + 1 }, '--mem=2M'],
    [{ gpus: { count: 3 } }, '--gres=gpu:3'],
    [{ requeue: true }, '--requeue'],
    [
      { after: [{ nativeId: '12' }, { nativeId: '13;other', members: [4, 5] }] },
      '--dependency=afterany:12:13_4:13_5',
    ],
    [
      {
        after: [{ nativeId: '12', members: Array.from({ length: 21 }, (_, i) => i) }],
        dependency: 'afterok:3',
      },
      '--dependency=afterok:3,afterany:12',
    ],
    [{ signal: 'B:TERM@60' }, '--signal=B:TERM@60'],
    [{ array: { size: 3 } }, '--array=0-2'],
    [{ name: 'two words #1' }, '--job-name="two words #1"'],
    [{ name: '"\\' }, '--job-name="\\"\\\\"'],
    [{ name: '$(id) `id`' }, '--job-name="$(id) `id`"'],
  ])('%j is %s', (given, line) => {
    expect(renderDirectives(slurm, given)).toEqual([`#SBATCH ${line}`])
  })

  test('exclusive: false, and a % in the path of the log, ask for nothing', () => {
    expect(renderDirectives(slurm, { exclusive: false })).toEqual([])
    expect(renderDirectives(slurm, { log: '/a%j/b' })[0]).toBe('#SBATCH --output=/a%%j/b')
    expect(renderDirectives(slurm, { log: '/a%j\\b' })[0]).toBe('#SBATCH --output="/a%j\\\\\\\\b"')
  })

  // What sbatch itself makes of such lines is tested against a real one in slurm.slurm.test.ts.
  test('any name is refused, or arrives through sbatch’s reading of a line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (name) => {
        let line: string
        try {
          line = renderDirectives(slurm, { name })[0]!
        } catch (error) {
          expect(error).toMatchObject({ code: 'VALUE_UNSAFE' })
          return
        }
        expect(readLikeSbatch(line.slice('#SBATCH'.length))).toEqual([`--job-name=${name}`])
      }),
      { numRuns: 2_000 },
    )
  })
})

/** sbatch's _get_argument, in src/sbatch/opt.c. */
function readLikeSbatch(line: string): string[] {
  const found: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!
    if (char === '\\') word = (word ?? '') + (line[++at] ?? '')
    else if (quote) {
      if (char === quote) quote = ''
      else word += char
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (char === '#') break
    else if (/[ \t\v\f\r\n]/.test(char)) {
      if (word !== undefined) found.push(word)
      word = undefined
    } else word = (word ?? '') + char
  }
  return word === undefined ? found : [...found, word]
}

describe('submitting', () => {
  test('options go as arguments too, as they are', () => {
    const all = { name: 'a "b" #c', partition: 'p', native: ['--hold', '-C "x y"'] }
    expect(slurm.submit('/w/job.sh', all).argv.slice(3)).toEqual([
      'sbatch',
      '--parsable',
      '--job-name=a "b" #c',
      '--partition=p',
      '--hold',
      '/w/job.sh',
    ])
  })

  test('the id is the last line that is one', () => {
    expect(slurm.parseSubmit(recorded('submit-ok'))).toBe('11')
    expect(slurm.parseSubmit(recorded('submit-cluster'))).toBe('12;lab')
    expect(slurm.parseSubmit(answer('Welcome to lab!\n2026\n124\n'))).toBe('124')
  })

  test.each([
    'bad-account',
    'bad-constraint',
    'bad-dependency',
    'bad-exclude',
    'bad-gpu',
    'bad-license',
    'bad-mail-type',
    'bad-native',
    'bad-nodelist',
    'bad-partition',
    'bad-qos',
    'bad-reservation',
    'bad-signal',
    'array-too-large',
    'too-many-gpus',
    'too-much-memory',
  ])('%s is refused in sbatch’s words, with a hint', (name) => {
    const error = thrown(() => slurm.parseSubmit(recorded(`submit-${name}`)))
    expect(error).toMatchObject({ name: 'SubmitError', code: 'SUBMIT_REFUSED', transient: false })
    expect((error as Error).message).toMatchSnapshot()
  })

  test('a controller that does not answer is transient; a machine without sbatch is told apart', () => {
    expect(thrown(() => slurm.parseSubmit(recorded('submit-unreachable')))).toMatchObject({
      code: 'SUBMIT_REFUSED',
      transient: true,
    })
    expect(thrown(() => slurm.parseSubmit(recorded('submit-missing')))).toMatchObject({
      code: 'SCHEDULER_MISSING',
      transient: false,
    })
    expect(thrown(() => slurm.parseSubmit(answer('')))).toMatchObject({ code: 'SUBMIT_REFUSED' })
  })

  test.each([
    'sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user’s size and/or time limits)',
    'sbatch: error: AssocMaxSubmitJobLimit',
    'sbatch: error: QOSMaxSubmitJobPerUserLimit',
    'sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)',
    'sbatch: error: Batch job submission failed: Requested node configuration is not available',
    'sbatch: error: Invalid --time specification',
  ])('%s has a hint', (stderr) => {
    expect(slurm.explainSubmit!(answer('', { exitCode: 1, stderr }))?.hint).toBeTruthy()
  })
})

describe('squeue', () => {
  test('all of a user’s jobs at once', () => {
    expect(brief(slurm.parseQuery(recorded('squeue-mixed')))).toMatchInlineSnapshot(`
      {
        "16": "ACTIVE",
        "17": "ACTIVE/completing",
        "18": "ACTIVE",
        "19": "ACTIVE",
        "20": "QUEUED/held (JobHeldUser)",
        "21": "QUEUED (Dependency)",
        "22": "QUEUED (Resources)",
        "23": "QUEUED (Priority)",
      }
    `)
    expect(slurm.parseQuery(recorded('squeue-suspended')).get('18')?.status).toMatchObject({
      state: 'ACTIVE',
      reason: 'suspended',
    })
  })

  test('a job that Slurm has requeued says so, and only while it waits', () => {
    expect(slurm.parseQuery(recorded('squeue-requeued')).get('23')?.status).toEqual({
      state: 'QUEUED',
      reason: 'requeued',
      native: 'PENDING',
      message: 'BeginTime',
    })
    expect(slurm.parseQuery(recorded('squeue-preempted')).get('40')?.status.reason).toBe('requeued')
    const later = slurm.parseQuery(recorded('squeue-array-holes'))
    expect(later.get('23')?.status).toEqual({ state: 'ACTIVE', native: 'RUNNING' })
  })

  test('members of an array, pending ones from their one line', () => {
    const whole = slurm.parseQuery(recorded('squeue-array-1000')).get('43')!
    expect(whole.status.state).toBe('ACTIVE')
    expect(whole.members!.size).toBe(1000)
    expect(whole.members!.get(0)).toEqual({ state: 'ACTIVE', native: 'RUNNING' })
    expect(whole.members!.get(999)).toMatchObject({ state: 'QUEUED', message: 'JobArrayTaskLimit' })
    const holes = slurm.parseQuery(recorded('squeue-array-holes')).get('43')!
    expect([23, 24, 25, 30, 31].map((member) => holes.members!.get(member)?.state)).toEqual([
      undefined,
      'ACTIVE',
      'QUEUED',
      undefined,
      'QUEUED',
    ])
  })

  test('a list of members that Slurm cut off is the rest', () => {
    const { members, rest } = slurm
      .parseQuery(answer('5|3|RUNNING|0|None|\n5|4-9,11,...|PENDING|0|None|\n'))
      .get('5')!
    expect([...members!.keys()]).toEqual([3])
    expect(rest).toEqual({ state: 'QUEUED', native: 'PENDING' })
  })

  test('ids of other clusters keep their cluster', () => {
    const jobs = slurm.parseQuery(recorded('squeue-cluster'))
    expect(jobs.get('20')).toEqual(jobs.get('20;lab'))
    expect(slurm.query(['1', '2;b', '3;b']).argv.slice(3)).toEqual(['squeue', '.', 'b'])
    expect(slurm.cancel(['1', '2;b', '3', '4;b']).argv.slice(3)).toEqual(['scancel', '1,3', '2,4;b'])
    expect(slurm.array!.taskId('2;b', 7)).toBe('2_7;b')
  })

  test('no argument grows too long for Linux', () => {
    const ids = Array.from({ length: 10_000 }, (_, member) => slurm.array!.taskId('123456789', member))
    const groups = slurm.cancel(ids).argv.slice(4)
    expect(groups.join(',').split(',')).toEqual(ids)
    expect(Math.max(...groups.map((group) => group.length))).toBeLessThan(128 * 1024)
  })

  test('the query is the same whatever the ids, so that processes can share its answer', () => {
    expect(slurm.query(['1', '2']).argv).toEqual(slurm.query([]).argv)
  })

  test('no answer is a transient error, never an empty queue', () => {
    for (const [parse, name] of [
      [slurm.parseQuery, 'squeue-unreachable'],
      [slurm.parseRecent!, 'scontrol-unreachable'],
      [slurm.parseHistory!, 'sacct-unreachable'],
    ] as const)
      expect(thrown(() => parse(recorded(name)))).toMatchObject({ code: 'COMMAND_FAILED', transient: true })
  })

  test('words that nobody knows are kept and never final', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Z_+]{1,20}$/), (word) => {
        const status = slurm.parseQuery(answer(`7|N/A|X${word}|0|None|\n`)).get('7')!.status
        expect(status.native).toBe(`X${word}`)
        expect(isFinal(status.state)).toBe(false)
      }),
    )
    for (const word of ['constructor', '__proto__', 'toString'])
      expect(slurm.parseQuery(answer(`7|N/A|${word}|0|None|\n`)).get('7')!.status.state).toBe('QUEUED')
  })
})

describe('sacct and scontrol', () => {
  test('sacct tells how jobs ended', () => {
    expect(brief(slurm.parseHistory!(recorded('sacct-ended')))).toMatchInlineSnapshot(`
      {
        "11": "COMPLETED",
        "13": "FAILED/exit-code",
        "14": "FAILED/signal",
        "15": "FAILED/out-of-memory",
        "16": "FAILED/timeout",
        "17": "CANCELED/by-user",
        "18": "CANCELED/by-user",
        "19": "FAILED/exit-code",
        "20": "QUEUED",
        "21": "QUEUED",
        "22": "CANCELED/by-user",
        "23": "ACTIVE",
        "37": "FAILED/launch-failed (Slurm could not start the script: mostly its log or working folder cannot be opened on the node)",
        "38": "FAILED/node-failure",
        "39": "FAILED/preempted",
        "40": "QUEUED",
        "41": "ACTIVE",
        "42": "CANCELED/by-admin",
        "43": "QUEUED",
      }
    `)
  })

  test('with exit code or signal, time, and the memory of the steps', () => {
    const jobs = slurm.parseHistory!(recorded('sacct-ended'))!
    expect(jobs.get('13')?.status).toMatchObject({ exitCode: 3, time: 1795224242000 })
    expect(jobs.get('14')?.status).toMatchObject({ reason: 'signal', signal: 11 })
    expect(jobs.get('16')?.status).toEqual({
      state: 'FAILED',
      reason: 'timeout',
      native: 'TIMEOUT',
      time: 1795224306000,
      peakMemory: 225280,
    })
    expect(jobs.get('42')?.status).toMatchObject({ native: 'CANCELLED by 0', reason: 'by-admin' })
    const members = jobs.get('19')!.members!
    expect(members.get(1)).toMatchObject({ state: 'FAILED', exitCode: 4, peakMemory: 225280 })
    expect([0, 2, 3, 4, 5].map((member) => members.get(member)?.state)).toEqual(Array(5).fill('CANCELED'))
  })

  test('OUT_OF_ME+, as sacct cuts it, is out of memory', () => {
    const status = slurm.parseHistory!(answer('5|OUT_OF_ME+|0:125|1000||1\n'))!.get('5')!.status
    expect(status).toEqual({ state: 'FAILED', reason: 'out-of-memory', native: 'OUT_OF_ME+', time: 1000 })
  })

  test('a site without accounting gives undefined; unknown jobs are absent', () => {
    expect(slurm.parseHistory!(recorded('sacct-disabled'))).toBeUndefined()
    expect(slurm.parseHistory!(recorded('sacct-unknown'))).toEqual(new Map())
    expect(slurm.parseRecent!(recorded('scontrol-unknown'))).toEqual(new Map())
    expect([...slurm.parseHistory!(recorded('sacct-steps-cluster'))!.keys()]).toContain('11;lab')
  })

  test('scontrol tells what slurmctld remembers', () => {
    expect(brief(slurm.parseRecent!(recorded('scontrol-ended')))).toMatchInlineSnapshot(`
      {
        "13": "FAILED/exit-code (NonZeroExitCode)",
        "14": "FAILED/signal (JobLaunchFailure)",
        "15": "FAILED/out-of-memory (OutOfMemory)",
        "16": "FAILED/timeout (TimeLimit)",
        "17": "CANCELED",
        "37": "FAILED/launch-failed (Slurm could not start the script: mostly its log or working folder cannot be opened on the node)",
        "38": "FAILED/node-failure (NodeDown)",
        "39": "FAILED/preempted",
        "40": "QUEUED/requeued",
        "42": "CANCELED",
      }
    `)
    const { members } = slurm.parseRecent!(recorded('scontrol-mixed')).get('19')!
    expect([...members!].map(([member, { native }]) => `${member} ${native}`).sort()).toMatchInlineSnapshot(`
      [
        "0 RUNNING",
        "1 FAILED",
        "2 RUNNING",
        "3 RUNNING",
        "4 PENDING",
        "5 PENDING",
      ]
    `)
  })

  test('a job’s name cannot pass for its state', () => {
    const text = Buffer.from(recorded('scontrol-requeued').stdout).toString()
    const named = text.replace(
      'JobName=requeued',
      'JobName=x JobState=COMPLETED Reason=None Dependency=(null)',
    )
    expect(slurm.parseRecent!(answer(named)).get('23')?.status.state).toBe('QUEUED')
  })
})

test('parsers give a value or a FarcallError for any text', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '|',
      '\n',
      '5',
      '_',
      '[0-',
      '%',
      'PENDING',
      'N/A',
      '.batch',
      'JobId=',
      '   JobState=',
      'CLUSTER: x',
    ),
    fc.constantFrom('5|0-4294967295|PENDING|0|x|\n', '5_[0-999999999]|X|0:0|0||1\n', '5|9-1:0|RUNNING|0||\n'),
  )
  const text = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(''))
  fc.assert(
    fc.property(text, text, fc.constantFrom(0, 1, 127, 255), (stdout, stderr, exitCode) => {
      const result = answer(stdout, { stderr, exitCode })
      for (const parse of [
        slurm.parseSubmit,
        slurm.parseQuery,
        slurm.parseHistory!,
        slurm.parseRecent!,
        slurm.explainSubmit!,
      ]) {
        const error = thrown(() => void parse(result))
        if (error !== undefined) expect(error).toBeInstanceOf(FarcallError)
      }
    }),
    { numRuns: 1_000 },
  )
})

test('an array is no larger than MaxArraySize, and than the user may submit at all', () => {
  const config = 'MaxArraySize            = 10001'
  const { parseSizeLimit: size, parseSubmitLimit } = slurm.array!
  expect(size!(answer(config))).toBe(10_001)
  expect(size!(answer(''))).toBeUndefined()
  const parameters = 'SchedulerParameters     = bf_interval=5,max_array_tasks=700,max_script_size=9000'
  expect(size!(answer(`${config}\n${parameters}`))).toBe(700)
  expect([slurm.scriptSize!.parse(answer(parameters)), slurm.scriptSize!.parse(answer(config))]).toEqual([
    9_000,
    undefined,
  ])
  const most = (...lines: string[]) => parseSubmitLimit!(answer([config, ...lines].join('\n')))
  expect(most()).toBeUndefined()
  expect(most('association|500|normal', 'qos|normal|')).toBe(500)
  expect(most('association||normal', 'qos|normal|200')).toBe(200)
  // Which of them a job comes to have is not known yet: the most generous one counts.
  expect(most('association|500|normal', 'association|-1|normal,long', 'qos|normal|200')).toBeUndefined()
  expect(most('association|500|normal,long', 'qos|normal|200', 'qos|long|300')).toBe(300)
  expect(most('association|0|normal', 'qos|normal|')).toBe(1)
})
