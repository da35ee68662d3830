import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { resolveRetry } from '../../src/core/resolve-retry.ts'
import {
  finished,
  heldLimit,
  isRunning,
  makeJob,
  nodeProgram,
  shells,
  temporaryFolder,
  until,
} from './helpers.ts'

const retry = resolveRetry({ retries: 1 })

describe.each(shells)('job.sh in %s %s', (...shell) => {
  const words = shell.filter((word): word is string => typeof word === 'string')

  it('runs all members, however few at once', async () => {
    const job = makeJob({
      shell: words,
      args: Array.from({ length: 7 }, (_, index) => [index]),
      chunk: 1,
      body: 'if (args[0] === 5) throw new Error("five"); return args[0] * 2',
      script: { concurrency: 2 },
    })
    expect(await job.run()).toEqual({ code: 1, stdout: '', stderr: '' })
    for (const k of [0, 1, 2, 3, 4, 6]) {
      expect(job.member(k).value(k)).toBe(k * 2)
      expect(job.member(k).notice?.end).toEqual(job.member(k).end)
    }
    expect(job.member(5).error(5)).toMatchObject({ message: 'five' })
  })

  it('runs all members where a command that is asked for the cores is ended by a signal', async () => {
    const bin = temporaryFolder()
    for (const name of ['nproc', 'getconf']) {
      writeFileSync(join(bin, name), '#!/bin/sh\nkill -TERM $$\n')
      chmodSync(join(bin, name), 0o755)
    }
    const job = makeJob({
      shell: words,
      args: [[0], [1]],
      chunk: 1,
      body: 'return args[0]',
      env: { PATH: `${bin}:${process.env['PATH']}` },
    })
    expect((await job.run()).code).toBe(0)
    expect([0, 1].map((k) => job.member(k).value(k))).toEqual([0, 1])
  })

  it('runs a member once, and leaves quietly the second time', async () => {
    const job = makeJob({ shell: words, body: 'return Math.random()' })
    await job.run()
    const first = job.member(0).value(0)
    expect(await job.run()).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(job.member(0).value(0)).toBe(first)
  })

  it('counts the restarts of the scheduler as attempts', async () => {
    const job = makeJob({ shell: words, script: { restartCount: '${RESTARTS:-0}' }, env: { RESTARTS: '2' } })
    await job.run()
    expect(job.member(0, 3).end).toMatchObject({ attempt: 3 })
  })

  it('says how node was killed, and nothing on the log of the user', async () => {
    const job = makeJob({
      shell: words,
      body: "process.kill(process.pid, 'SIGKILL'); await new Promise((r) => setTimeout(r, 60000))",
    })
    expect(await job.run()).toMatchObject({ code: 137, stdout: '' })
    expect(job.member(0)).toMatchObject({ err: '', end: { reason: 'signal', signal: 9 } })
  })

  it('ends by a time limit', async () => {
    const { setup, gate } = heldLimit()
    const job = makeJob({
      shell: words,
      args: [[0], [1]],
      chunk: 1,
      body: "console.log('begun'); if (args[0] === 0) await new Promise((r) => setTimeout(r, 60000)); return 1",
      script: { timeSeconds: 1, concurrency: 2, environment: { node: nodeProgram, setup } },
    })
    const run = job.run()
    await until(() => job.member(0).out === 'begun\n' && job.member(1).end, 'one to begin, one to end')
    writeFileSync(gate, '')
    expect((await run).code).toBe(1)
    expect(job.member(0).end).toMatchObject({ reason: 'timeout', startedAt: expect.any(Number) })
    expect(job.member(1).value(1)).toBe(1)
  })

  it('warns before the time limit, and ends well where the state is saved', async () => {
    const job = makeJob({
      shell: words,
      body: `const { onWarning } = globalThis[Symbol.for('farcall.checkpoints')]
        onWarning(() => ({ so: 'far' }))
        await new Promise((r) => setTimeout(r, 60000))`,
      spec: { resources: { signal: 'USR1@8' }, retry },
      script: { timeSeconds: 9, warning: { name: 'USR1', seconds: 8 } },
    })
    expect((await job.run()).stderr).toBe('')
    expect(job.member(0).end).toMatchObject({ reason: 'timeout', requeue: true })
    expect(readdirSync(join(job.folder, 'run.1.0'))).toContain('checkpoint.0')
  })

  it('runs a warned member on to its limit where nobody saves', async () => {
    const { setup, gate } = heldLimit()
    const job = makeJob({
      shell: words,
      body: "const { warned } = globalThis[Symbol.for('farcall.checkpoints')]; while (!warned()); console.log('warned'); for (;;);",
      spec: { resources: { signal: 'USR1@1' } },
      script: {
        timeSeconds: 1,
        warning: { name: 'USR1', seconds: 1 },
        environment: { node: nodeProgram, setup },
      },
    })
    const run = job.run()
    await until(() => job.member(0).out === 'warned\n', 'the warning')
    writeFileSync(gate, '')
    expect((await run).code).not.toBe(0)
    const { end, out } = job.member(0)
    expect(out).toBe('warned\n')
    expect(end).toMatchObject({ reason: 'timeout', message: 'the time limit of 1 s is over' })
    expect(end).not.toHaveProperty('requeue')
  })

  it('runs the members of a retry, and no others', async () => {
    const job = makeJob({
      shell: words,
      args: Array.from({ length: 6 }, (_, index) => [index]),
      chunk: 1,
      spec: { attempt: 1001, retried: 1, only: [1, 4] },
      script: { attempt: 1001, only: [1, 4], concurrency: 2 },
    })
    writeFileSync(join(job.folder, 'spec.1001.json'), readFileSync(join(job.folder, 'spec.json')))
    expect(await job.run()).toEqual({ code: 0, stdout: '', stderr: '' })
    const runs = readdirSync(job.folder).filter((name) => name.startsWith('run.'))
    expect(runs.sort()).toEqual(['run.1001.1', 'run.1001.4'])
    expect(job.member(4, 1001).value(4)).toEqual([4])
  })

  it('tells of setup lines that leave the script', async () => {
    const job = makeJob({
      shell: words,
      script: { environment: { node: nodeProgram, setup: ['echo "a \\"word\\"" >&2', 'exit 7'] } },
    })
    expect((await job.run()).code).toBe(7)
    expect(job.member(0).end).toMatchObject({
      reason: 'launch-failed',
      exitCode: 7,
      message: expect.stringMatching(/setup lines .* exit code 7 .*a "word"/),
    })
  })

  it('ends every process when it is canceled, and starts no further member', async () => {
    const job = makeJob({
      shell: words,
      args: Array.from({ length: 6 }, (_, index) => [index]),
      chunk: 1,
      body: 'console.log(process.pid); await new Promise((r) => setTimeout(r, 60000))',
      script: { concurrency: 2, timeSeconds: 600 },
    })
    const leader = job.start()
    const ended = finished(leader)
    const pids = await until(() => {
      const found = [0, 1].map((k) => Number(job.member(k).out))
      return found.every((pid) => pid > 0) && found
    }, 'two members')
    process.kill(-leader.pid!, 'SIGTERM')
    expect((await ended).code).toBe(1)
    for (const k of [0, 1]) {
      expect(job.member(k).end).toMatchObject({ reason: 'signal', signal: 15 })
      expect(job.member(k).notice?.end).toEqual(job.member(k).end)
    }
    expect(pids.filter(isRunning)).toEqual([])
    expect(readdirSync(job.folder).filter((name) => name.startsWith('run.'))).toHaveLength(2)
  })

  it('brings variables and setup lines as they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, value, { minKeys: 1, maxKeys: 5 }), async (variables) => {
        const job = makeJob({
          shell: words,
          body: 'return Object.fromEntries(args.map((name) => [name, process.env[name]]))',
          args: [Object.keys(variables)],
          script: { environment: { node: nodeProgram, variables, setup: ['COPY="$(printf x)"'] } },
        })
        const result = await job.run()
        expect(result).toEqual({ code: 0, stdout: '', stderr: '' })
        expect(job.member(0).value(0)).toEqual(Object.fromEntries(Object.entries(variables)))
      }),
      { numRuns: 8 },
    )
  })
})

// A prefix, so that it is no variable that sh, node or the script knows.
const name = fc.stringMatching(/^[A-Za-z0-9_]{0,12}$/).map((text) => `V_${text}`)
const awkward = fc.constantFrom(
  "'",
  '"',
  '`',
  '$(touch pwned)',
  '${PATH}',
  '\\',
  '\n',
  ' ',
  '!',
  '~',
  '*',
  '{{',
  '{%',
  '%}',
  '-n',
  '&',
  ';',
  '#',
)
const value = fc
  .array(fc.oneof(awkward, fc.string({ unit: 'grapheme' })), { maxLength: 8 })
  .map((parts) => parts.join('').replaceAll('\0', ''))

describe('the node that is looked for', () => {
  it('is missing by the path that was given', async () => {
    const job = makeJob({ script: { environment: { node: "/no such/n'ode" } } })
    expect((await job.run()).code).toBe(1)
    const { end, notice } = job.member(0)
    expect(end).toMatchObject({
      reason: 'interpreter-missing',
      message: expect.stringContaining("/no such/n'ode"),
    })
    expect(notice?.end).toEqual(end)
  })

  it('is missing on PATH, which is shown', async () => {
    const bin = toolbox()
    const job = makeJob({ script: { environment: { variables: { PATH: bin } }, timeSeconds: 2 } })
    await job.run()
    expect(job.member(0).end).toMatchObject({
      reason: 'interpreter-missing',
      message: expect.stringMatching(new RegExp(`no node on PATH .*${bin}`)),
    })
  })

  it('is found on the PATH that setup lines make', async () => {
    const bin = toolbox()
    const line = `export PATH='${join(nodeProgram, '..')}':"$PATH"`
    const job = makeJob({ script: { environment: { variables: { PATH: bin }, setup: [line] } } })
    expect(await job.run()).toMatchObject({ code: 0 })
  })

  it('is too old, and its version is named', async () => {
    const node = program('echo v12.22.0; exit 1')
    const job = makeJob({ script: { environment: { node } } })
    await job.run()
    expect(job.member(0).end).toMatchObject({
      reason: 'interpreter-missing',
      message: expect.stringMatching(/v12\.22\.0; Node >= 16 is needed/),
    })
  })

  it('does not start, and its own words are kept', async () => {
    const node = program("echo 'libc.so.6: version GLIBC_2.99 not found' >&2; exit 1")
    const job = makeJob({ script: { environment: { node } } })
    await job.run()
    expect(job.member(0).end).toMatchObject({
      reason: 'interpreter-missing',
      message: expect.stringContaining('GLIBC_2.99 not found'),
    })
  })

  it('gets heap and threads by what was granted', async () => {
    const job = makeJob({
      body: 'return [process.execArgv, process.env.UV_THREADPOOL_SIZE, process.env.NODE_OPTIONS]',
      script: { memoryBytes: 10 * 2 ** 30, cores: 12 },
      env: { NODE_OPTIONS: '--stack-trace-limit=5' },
    })
    await job.run()
    expect(job.member(0).value(0)).toEqual([['--max-old-space-size=8704'], '12', undefined])
  })
})

describe('modules', () => {
  const node = nodeProgram

  it('fail by name where there is no module command', async () => {
    const job = makeJob({ script: { environment: { node, modules: ['gcc/12; rm -rf $HOME'] } } })
    // A machine that has one has it somewhere else.
    const script = readFileSync(`${job.folder}/job.sh`, 'utf8')
    const without = script.replaceAll('/etc/profile.d', '/nowhere').replaceAll('/usr/share', '/nowhere')
    writeFileSync(`${job.folder}/job.sh`, without)
    await job.run({ MODULESHOME: undefined, LMOD_PKG: undefined, LMOD_CMD: undefined })
    expect(job.member(0).end).toMatchObject({
      reason: 'launch-failed',
      message: expect.stringMatching(
        /module gcc\/12; rm -rf \$HOME cannot be loaded: there is no module command/,
      ),
    })
  })

  it('fail with the words of the module command', async () => {
    const moduleCommand = join(temporaryFolder(), 'module')
    writeFileSync(moduleCommand, '#!/bin/sh\n[ "$2" = good ] || { echo "no $2 here" >&2; exit 1; }\n')
    chmodSync(moduleCommand, 0o755)
    const variables = { PATH: `${join(moduleCommand, '..')}:${process.env['PATH']}` }
    const job = makeJob({ script: { environment: { node, variables, modules: ['good', 'bad one'] } } })
    await job.run()
    expect(job.member(0).end).toMatchObject({
      reason: 'launch-failed',
      message: expect.stringMatching(/module load bad one failed on .*: no bad one here/),
    })
  })
})

describe('a workdir that cannot be used', () => {
  it('is told on stderr', async () => {
    const job = makeJob({ script: { workdir: '/nowhere/at all' } })
    const { code, stderr } = await job.run()
    expect(code).toBe(1)
    expect(stderr).toMatch(/^farcall: .*\/nowhere\/at all/)
  })
})

describe('the slurm script', () => {
  const slurm = {
    directives: ['#SBATCH --time=60', '#SBATCH --job-name=a b'],
    restartCount: '${SLURM_RESTART_COUNT:-0}',
  }

  it('runs the member that Slurm names, with what Slurm granted', async () => {
    const job = makeJob({
      template: 'slurm.sh.liquid',
      args: [[0], [1], [2]],
      chunk: 1,
      body: "const t = globalThis[Symbol.for('farcall.task')]; return [args[0], t.cores, t.memory, process.execArgv]",
      script: { ...slurm, memberVariable: 'SLURM_ARRAY_TASK_ID' },
      env: {
        SLURM_ARRAY_TASK_ID: '2',
        SLURM_RESTART_COUNT: '1',
        SLURM_CPUS_PER_TASK: '6',
        SLURM_MEM_PER_CPU: '100',
        SLURM_CPUS_ON_NODE: '6',
      },
    })
    expect(await job.run()).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(job.member(2, 2).value(2)).toEqual([
      2,
      Math.min(6, availableParallelism()),
      600 * 2 ** 20,
      ['--max-old-space-size=510'],
    ])
    expect(existsSync(join(job.folder, 'run.2.0'))).toBe(false)
  })

  it('hands signals that reach this shell alone to node', async () => {
    const job = makeJob({
      template: 'slurm.sh.liquid',
      body: "await new Promise((r) => { process.once('SIGUSR2', r); console.log('ready'); setTimeout(() => {}, 60000) }); return 'saved'",
      script: slurm,
    })
    const child = job.start()
    const ended = finished(child)
    await until(() => job.member(0).out === 'ready\n', 'the handler')
    process.kill(child.pid!, 'SIGUSR2')
    expect((await ended).code).toBe(0)
    expect(job.member(0).value(0)).toBe('saved')
  })

  it('outlives a TERM that ends node, to say so', async () => {
    const job = makeJob({
      template: 'slurm.sh.liquid',
      body: "console.log('ready'); await new Promise((r) => setTimeout(r, 60000))",
      script: slurm,
    })
    const child = job.start()
    const ended = finished(child)
    await until(() => job.member(0).out === 'ready\n', 'the start')
    process.kill(-child.pid!, 'SIGTERM')
    expect((await ended).code).toBe(143)
    expect(job.member(0).end).toMatchObject({ reason: 'signal', signal: 15 })
  })
})

/** A PATH with the tools that job.sh uses, and without node. */
function toolbox(): string {
  const bin = temporaryFolder()
  for (const tool of ['date', 'mkdir', 'mv', 'cat', 'sed', 'tr', 'tail', 'wc', 'grep', 'uname', 'sh'])
    program(`PATH=/usr/bin:/bin exec ${tool} "$@"`, join(bin, tool))
  return bin
}

function program(text: string, path = join(temporaryFolder(), 'program')): string {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
  return path
}
