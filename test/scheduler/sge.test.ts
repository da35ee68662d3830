import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FarcallError } from '../../src/core/errors.ts'
import { resolveResources } from '../../src/core/resolve-resources.ts'
import type { Resources } from '../../src/core/resources.ts'
import type { CommandResult } from '../../src/core/shell.ts'
import { isFinal } from '../../src/core/status.ts'
import { renderDirectives } from '../../src/scheduler/directives.ts'
import type { Directives, QueueSnapshot } from '../../src/scheduler/scheduler.ts'
import { jobName, sge } from '../../src/scheduler/sge.ts'
import { readState } from '../../src/scheduler/sge-status.ts'
import { readRecords } from '../../src/scheduler/sge-xml.ts'

const folder = new URL('../fixtures/scheduler/sge/', import.meta.url)

function recorded(name: string): CommandResult {
  const { exitCode, stdout, stderr } = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'))
  return { exitCode, stdout: Buffer.from(stdout), stderr }
}

function answer(stdout: string, more: Partial<CommandResult> = {}): CommandResult {
  return { exitCode: 0, stdout: Buffer.from(stdout), stderr: '', ...more }
}

function thrown(run: () => unknown): FarcallError {
  try {
    return expect.fail(`it gave ${JSON.stringify(run())}`)
  } catch (error) {
    if (!(error instanceof FarcallError)) throw error
    return error
  }
}

/** id -> 'STATE/reason (message)', members apart. */
function brief(snapshot: QueueSnapshot | undefined): Record<string, string> {
  const words: Record<string, string> = {}
  for (const [id, { status, members }] of snapshot!)
    for (const [name, one] of members
      ? [...members].map(([k, each]) => [`${id}[${k}]`, each] as const)
      : [[id, status] as const])
      words[name] =
        `${one.state}${one.reason ? `/${one.reason}` : ''}${one.message ? ` (${one.message})` : ''}`
  return words
}

const profile = { scheduler: 'sge' }
const asked = sge.site!.adapt(recorded('site'), profile)
const lines = (resources: Resources, more: Partial<Directives> = {}, dialect = asked) =>
  renderDirectives(dialect, { ...resolveResources(resources), ...more })

describe('directives', () => {
  test('write every resource that Grid Engine has', () => {
    const resources = {
      cores: 8,
      memory: '16GB',
      time: '36h',
      gpus: 8,
      queue: 'short.q',
      account: 'abc',
      constraint: 'avx512=true',
      reservation: '12',
      nodelist: ['n1', 'n2'],
      exclude: 'n9',
      licenses: ['matlab:2', 'x'],
      dependency: ['1', '2'],
      priority: -100,
      mailType: ['BEGIN', 'END'],
      mailUser: 'me@hpc.edu',
      signal: 'USR1@90',
      requeue: true,
      native: ['-ckpt none'],
    }
    const array = { size: 10, concurrency: 3 }
    expect(
      lines(resources, { name: 'Study.simulate', log: '/data/jobs/f1/scheduler.log', array }),
    ).toMatchSnapshot()
  })

  test.each<[Resources, RegExp, RegExp]>([
    [{ nodes: 2 }, /sge cannot express nodes/, /native/],
    [{ qos: 'high' }, /sge cannot express qos/, /native/],
    [{ gpus: 'a100:1' }, /a kind of GPU \(a100\)/, /constraint/],
    [
      { gpus: 2, cores: 4 },
      /gpu is counted for each slot here, and 2 cannot be split over 4 cores/,
      /ask for cores/,
    ],
    [{ exclusive: true }, /no resource that gives a whole node/, /as many cores/],
    [{ signal: 'USR2@60', time: '1h' }, /no warning that Grid Engine can give/, /USR1@90/],
    [{ signal: 'USR1@60' }, /there is none that long/, /time: '1h'/],
    [{ partition: 'a"b' }, /partition: .* holds a quote or #/, /./],
    [{ partition: 'a#b' }, /partition: .* holds a quote or #/, /./],
  ])('%j is refused in words', (resources, message, hint) => {
    const error = thrown(() => lines(resources))
    expect(error.message).toMatch(message)
    if (error.code !== 'VALUE_UNSAFE') expect(error.hint).toMatch(hint)
  })

  test('memory is divided by the slots, leaves room for the address space of Node, and the script says so', () => {
    const memory = (resources: Resources) => lines(resources).filter((line) => /h_vmem/.test(line))
    expect(memory({ memory: '16GB' })).toEqual([
      '#$ -l h_vmem=16384M',
      expect.stringMatching(/^# h_vmem limits the address space/),
    ])
    expect(memory({ memory: '200MB' })[0]).toBe('#$ -l h_vmem=1194M')
    expect(memory({ memory: '16GB', cores: 4 }).slice(0, 2)).toEqual([
      '#$ -l h_vmem=4096M',
      '# h_vmem is for each of the 4 slots: memory was divided by them',
    ])
  })

  test('only some members are tasks from 1 on', () => {
    expect(lines({}, { array: { size: 100, only: [3, 50, 99] } })).toContain('#$ -t 1-3')
    expect(sge.array!.taskId('12', 0)).toBe('12.1')
  })

  test('a name is told as far as Grid Engine takes it', () => {
    const names = [
      'simulate',
      'Study.simulate',
      '1abc',
      'where is it? $(id) ü',
      '',
      'none',
      'a/b:c@d*e\\f',
      '-N',
      '#$ -l x',
    ]
    expect(names.map(jobName)).toEqual([
      'simulate',
      'Study.simulate',
      '_1abc',
      'where_is_it____id__u',
      '_',
      '_none',
      'a_b_c_d_e_f',
      '_-N',
      '___-l_x',
    ])
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        expect(jobName(name)).toMatch(/^[A-Za-z_][\w.+=-]*$/)
      }),
    )
  })

  test('a log that -o would read otherwise is none', () => {
    for (const path of ['/w/$JOB_ID/log', '/w/a:b', '/w/a,b', "/w/it's", '/w/#'])
      expect(lines({}, { log: path })).toContain('#$ -o /dev/null')
    expect(lines({}, { log: '/w/my folder/log' })).toContain('#$ -o "/w/my folder/log"')
  })
})

describe('a site', () => {
  const complexes = (more: string) =>
    answer(
      `== configuration\nmax_aj_tasks 0\n== complexes\n#name shortcut type relop requestable consumable default urgency\nh_vmem h_vmem MEMORY <= YES NO 0 0\n${more}`,
    )

  test('of Debian is found out, and told', () => {
    expect(asked.site!.words).toEqual([
      'cores by parallel environment smp',
      'memory by h_vmem for each slot (not counted)',
      'GPUs by gpu for each slot',
    ])
    expect(asked.array!.defaultSize).toBe(75_000)
    expect(lines({ cores: 2, gpus: 2 })).toEqual([
      '#$ -pe smp 2',
      '#$ -l gpu=1',
      '#$ -S /bin/sh',
      '#$ -w e',
      expect.stringMatching(/^# gpu is for each/),
    ])
  })

  test('that counts another resource as memory has it asked for, and one for the whole job is not divided', () => {
    const site = sge.site!.adapt(
      complexes(
        'mem_free mf MEMORY <= YES YES 1G 0\ngpus gpus INT <= YES JOB 0 0\nexcl excl BOOL EXCL YES YES 0 0\n== pe\npe_name mpi\nallocation_rule $round_robin\n== pe\npe_name threaded\nallocation_rule    $pe_slots\n',
      ),
      profile,
    )
    expect(
      lines({ cores: 4, memory: '8GB', gpus: 1, exclusive: true }, {}, site).filter((line) =>
        line.startsWith('#$ -'),
      ),
    ).toEqual([
      '#$ -pe threaded 4',
      '#$ -l mem_free=2048M',
      '#$ -l gpus=1',
      '#$ -l excl=true',
      '#$ -S /bin/sh',
      '#$ -w e',
    ])
    expect(site.array!.defaultSize).toBe(Number.POSITIVE_INFINITY)
  })

  test('without what a job asks for refuses it, and names the key of the profile', () => {
    const bare = sge.site!.adapt(complexes(''), profile)
    expect(thrown(() => lines({ cores: 2 }, {}, bare)).hint).toMatch(/gridEngine\.parallelEnvironment/)
    expect(thrown(() => lines({ gpus: 1 }, {}, bare)).hint).toMatch(/gridEngine\.gpuResource/)
    const none = sge.site!.adapt(answer('== configuration\n== complexes\n'), profile)
    expect(thrown(() => lines({ memory: '1GB' }, {}, none)).hint).toMatch(/gridEngine\.memoryResource/)
  })

  test('is spoken of as the profile says', () => {
    const gridEngine = {
      parallelEnvironment: 'omp',
      memoryResource: ['mem_free', 'h_vmem'],
      gpuResource: 'cuda',
    }
    const site = sge.site!.adapt(recorded('site'), { ...profile, gridEngine })
    expect(lines({ cores: 2, memory: '8GB', gpus: 2 }, {}, site).slice(0, 4)).toEqual([
      '#$ -pe omp 2',
      // Not counted by the site, mem_free only chooses a node: what it is compared with is the node's.
      '#$ -l mem_free=8192M',
      '#$ -l h_vmem=4096M',
      '#$ -l cuda=1',
    ])
  })

  test('that was not asked is Grid Engine as it comes, and the script says so', () => {
    const usual = sge.site!.adapt(undefined, profile)
    expect(lines({ cores: 2 }, {}, usual).at(-1)).toMatch(/was not asked yet/)
    expect(sge.site!.adapt(answer('', { exitCode: 127 }), profile).site!.words).toBeUndefined()
  })
})

describe('answers', () => {
  test('to a submission', () => {
    expect(sge.parseSubmit(recorded('submit'))).toMatch(/^\d+$/)
    expect(sge.parseSubmit(recorded('submit-array'))).toMatch(/^\d+$/)
    expect(sge.parseSubmit(answer('Welcome to the cluster!\n12.1-10:2\n'))).toBe('12')
  })

  test.each([
    ['queue', /unknown queue "nonesuch.q"/, /resources\.partition/],
    ['pe', /parallel environment "nonesuch" does not exist/, /gridEngine\.parallelEnvironment/],
    ['resource', /unknown resource "nonesuch"/, /qconf -sc/],
    ['project', /project "nonesuch" does not exist/, /resources\.account/],
    ['never', /no suitable queues\n.*only offers 0 slots/, /no queue could ever give.*native: \['-w n'\]/],
    ['tasks', /more than 75000 tasks/, /larger chunk/],
    ['priority', /positive submission priority/, /resources\.priority/],
    ['host', /can't resolve hostname "nohost"/, /resources\.nodelist/],
    ['reservation', /reservation id 77 is invalid/, /resources\.reservation/],
    ['value', /attribute "gpu" is not a integer/, /of its type/],
    ['name', /Space .* not allowed/, /takes no such name/],
  ])('refused: %s', (name, message, hint) => {
    const error = thrown(() => sge.parseSubmit(recorded(`refused-${name}`)))
    expect(error).toMatchObject({ code: 'SUBMIT_REFUSED', transient: false })
    expect(error.message).toMatch(message)
    expect(error.message).not.toMatch(/Exiting|Unable to run/)
    expect(error.hint).toMatch(hint)
  })

  test('of a site tell how many jobs a user may have, whatever an array has', () => {
    const limits = (u: number, all: number) =>
      sge.site!.adapt(answer(`== configuration\nmax_u_jobs ${u}\nmax_jobs ${all}\n`), profile).array!
        .maxSubmissions
    expect([limits(0, 0), limits(50, 0), limits(0, 70), limits(50, 20)]).toEqual([undefined, 50, 70, 20])
    expect(sge.array!.refusedSize!(recorded('refused-tasks').stderr)).toEqual({ most: 75_000 })
    expect(sge.array!.refusedSubmissions!(recorded('refused-user-jobs').stderr)).toBe(1)
  })

  test('refused as one job too many: it may be taken later', () => {
    const error = thrown(() => sge.parseSubmit(recorded('refused-user-jobs')))
    expect(error).toMatchObject({ code: 'SUBMIT_LIMIT', transient: false })
    expect(error.message).toMatch(/only 1 jobs are allowed per user/)
    expect(error.hint).toMatch(/as many jobs in the queue as the site allows/)
  })

  test('of a qmaster that is down change nothing, and come again', () => {
    expect(thrown(() => sge.parseQuery(recorded('query-down')))).toMatchObject({
      code: 'COMMAND_FAILED',
      transient: true,
    })
    expect(thrown(() => sge.parseSubmit(recorded('submit-down')))).toMatchObject({
      code: 'SUBMIT_REFUSED',
      transient: true,
    })
    expect(thrown(() => sge.parseQuery(recorded('query-no-root')))).toMatchObject({
      code: 'SCHEDULER_MISSING',
    })
  })

  test('of the queue: states, members, and why jobs wait', () => {
    expect(brief(sge.parseQuery(recorded('query')))).toMatchSnapshot()
    expect([...sge.parseQuery(recorded('query-empty'))]).toEqual([])
  })

  test('of accounting: how jobs ended, whose runs are several', () => {
    expect(brief(sge.parseHistory!(recorded('history')))).toMatchSnapshot()
    expect([...sge.parseHistory!(recorded('history-none'))!]).toEqual([])
  })

  test('of where a job runs', () => {
    const job = /job (\d+)/.exec(String(recorded('where-running').stdout))![1]!
    expect(sge.attach!.parseWhere(recorded('where-running'))).toEqual({
      nativeId: job,
      node: 'localhost',
      address: 'localhost',
    })
    expect(sge.attach!.parseWhere(recorded('where-pending'))).toBeUndefined()
    expect(sge.attach!.parseWhere(recorded('where-member'))).toMatchObject({
      nativeId: expect.stringMatching(/^\d+\.4$/),
    })
  })

  test('of a lost submission: the job by its script', () => {
    const result = answer(
      'job_number: 12\nscript_file: /w/jobs/f1/job.sh\njob_number: 13\nscript_file: /w/my jobs/f2/job.sh\n',
    )
    expect(sge.findSubmitted!.parse(result, '/w/my jobs/f2/job.sh')).toBe('13')
    expect(sge.findSubmitted!.parse(recorded('submitted'), '/w/nothing')).toBeUndefined()
  })

  test('of version and capacity', () => {
    expect(sge.parseVersion!(recorded('version'))).toBe('8.1.9')
    expect(sge.parseCapacity(recorded('capacity'))).toMatchObject([
      { name: 'all.q', isDefault: true, up: true, nodes: { total: 1, allocated: 1 } },
      { name: 'short.q', isDefault: true, up: true, timeLimitSeconds: 600, nodes: { total: 1, idle: 1 } },
    ])
  })
})

test('words of qstat, the deletion of what runs and unknown ones too, are never final', () => {
  const table = [
    'qw',
    'hqw',
    'hRwq',
    'Rq',
    'Eqw',
    'Ehqw',
    'r',
    't',
    'Rr',
    'Rt',
    's',
    'ts',
    'S',
    'T',
    'RtS',
    'dr',
    'dt',
    'dRr',
    'ds',
    'z',
    'hr',
    '?',
    'xyz',
    'o',
    '',
  ].map((word) => [word, Object.values(readState(word)).join('/')])
  expect(Object.fromEntries(table)).toMatchSnapshot()
  fc.assert(fc.property(fc.string(), (word) => !isFinal(readState(word).state)))
})

describe('hostile bytes', () => {
  const results = fc.record({
    exitCode: fc.constant(0),
    stdout: fc
      .array(
        fc.oneof(
          fc.string(),
          fc.constantFrom(
            '<job_list',
            '>',
            '</job_list>',
            '<state>',
            '</state>',
            '<JB_job_number>12</JB_job_number>',
            '<tasks>1-99999999:1</tasks>',
            '<tasks>3</tasks>',
            '== why\n',
            'job_number: 12\n',
            'failed 100 : x\n',
            'jobnumber 12\n',
            '=====\n',
            'taskid 5\n',
            '&lt;',
            '%lt;',
            '== limits',
            '<Queue-List>',
            '</Queue-List>',
            '<name>a@b</name>',
          ),
        ),
      )
      .map((parts) => Buffer.from(parts.join(''))),
    stderr: fc.string(),
  })

  test('never throw anything but a FarcallError', () => {
    const parsers = [
      sge.parseQuery,
      sge.parseHistory!,
      sge.parseCapacity,
      sge.parseVersion!,
      sge.attach!.parseWhere,
      (result: CommandResult) => sge.findSubmitted!.parse(result, 'x'),
      (result: CommandResult) => sge.site!.adapt(result, profile),
    ]
    fc.assert(
      fc.property(results, (result) => {
        for (const parse of parsers)
          try {
            parse(result)
          } catch (error) {
            expect(error).toBeInstanceOf(FarcallError)
          }
      }),
    )
  })

  test('a job that calls itself a record is none', () => {
    const name = '</JB_name><state>z</state>'
    const escaped = name.replaceAll('<', '%lt;').replaceAll('>', '&gt;')
    const text = `<job_list state="running"><JB_job_number>1</JB_job_number><JB_name>${escaped}</JB_name><state>r</state></job_list>`
    expect(readRecords(text, 'job_list')).toEqual([{ JB_job_number: '1', JB_name: name, state: 'r' }])
  })

  test('a thousand jobs in one answer are read in no time', () => {
    const one = (n: number) =>
      `<job_list state="pending"><JB_job_number>${n}</JB_job_number><state>qw</state><tasks>1-1000:1</tasks></job_list>`
    const text = Array.from({ length: 1000 }, (_, n) => one(n + 1)).join('\n')
    const snapshot = sge.parseQuery(answer(text))
    expect(snapshot.size).toBe(1000)
    expect(snapshot.get('1000')!.members!.size).toBe(1000)
  })
})
