import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { attach, close, command, configure, jobs, script } from '../../src/index.ts'
import { isAlive, until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'

const { slurm } = inject('slurms').accounting
const folder = mkdtempSync(join(tmpdir(), 'farcall-slurm-command-'))
const before = { ...process.env }
const start = process.cwd()

/** On this machine, which is the cluster's nodes as well. */
beforeAll(() => {
  Object.assign(process.env, slurm.env)
  process.chdir(folder)
  const place = { scheduler: 'slurm', workdir: `${folder}/work`, queryInterval: '2s', grace: '20s' } as const
  configure({
    profiles: { here: { ...place, resources: { time: '5m', memory: '200MB' } } },
    defaultProfile: 'here',
  })
})
afterAll(async () => {
  await close()
  process.chdir(start)
  for (const name of Object.keys(slurm.env)) delete process.env[name]
  Object.assign(process.env, before)
  removeFolder(folder)
})

const read = (file: string) => {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean)
  } catch {
    return [] // not there yet
  }
}

it('a Python program runs as a job, with what it asks for, its files and its log', async () => {
  writeFileSync(
    'train.py',
    `import os, sys
print('began', flush=True)
open('model.txt', 'w').write(os.environ['SLURM_CPUS_PER_TASK'] + ' ' + sys.argv[1])
print('done')
`,
  )
  const job = command(['python3', 'train.py', '--name=a b'], {
    cores: 2,
    tags: ['train'],
    stage: { in: ['train.py'], out: ['model.txt'] },
  })
  const lines: string[] = []
  for await (const line of job.logs({ follow: true })) lines.push(line)
  const result = await job
  expect(lines).toEqual(['began', 'done'])
  expect(result).toEqual({
    exitCode: 0,
    stdoutTail: 'began\ndone\n',
    stderrTail: '',
    files: [join(folder, 'model.txt')],
  })
  expect(read('model.txt')).toEqual(['2 --name=a b'])
  expect(await attach(job.id)).toEqual(result)
  expect(await jobs({ tag: 'train' })).toMatchObject([{ name: 'python3' }])
})

it('how it failed is told: exit code, signal, memory, time', async () => {
  const failed = (argv: string[], options = {}) => command(argv, options).catch((error: unknown) => error)
  const [code, signal, none, memory, time] = await Promise.all([
    failed(['sh', '-c', 'echo no >&2; exit 7']),
    failed(['sh', '-c', 'kill -ABRT $$']),
    failed(['no-such-program']),
    failed(['python3', '-c', 'x = bytearray(600_000_000)\nimport time; time.sleep(60)'], { memory: '150MB' }),
    failed(['sh', '-c', 'sleep 600'], { time: 60 }),
  ])
  expect(code).toMatchObject({ reason: 'exit-code', exitCode: 7, stderrTail: 'no' })
  expect(signal).toMatchObject({ reason: 'signal', status: { signal: 6 } })
  expect(none).toMatchObject({ reason: 'launch-failed', exitCode: 127 })
  expect(memory).toMatchObject({ reason: 'out-of-memory' })
  expect(time).toMatchObject({ reason: 'timeout' })
}, 240_000)

it('a cancel reaches it once, with all that it has started, and leaves nothing', async () => {
  const file = join(folder, 'family')
  const job = command([
    'sh',
    '-c',
    `sleep 600 & echo $! >>${file}; trap 'echo TERM >>${file}.got; sleep 1; exit 0' TERM; echo $$ >>${file}; wait; wait`,
  ])
  job.catch(() => {})
  expect(await until(() => read(file).length === 2, 60_000)).toBe(true)
  const pids = read(file).map(Number)
  await job.cancel()
  await expect(job).rejects.toMatchObject({ code: 'JOB_CANCELED' })
  expect(await until(() => !pids.some(isAlive), 60_000)).toBe(true)
  expect(read(`${file}.got`)).toEqual(['TERM'])
})

it('the warning before the time limit is its own', async () => {
  const program = `trap 'echo warned; exit 0' USR1; while :; do sleep 0.2; done`
  const job = command(['sh', '-c', program], { time: '2m', signal: 'USR1@110' })
  expect(await job).toMatchObject({ exitCode: 0, stdoutTail: 'warned\n' })
}, 180_000)

it('many are an array', async () => {
  const array = command.map([0, 1, 2, 3], (n) => ['sh', '-c', `echo $SLURM_ARRAY_TASK_ID; exit ${n % 2}`], {
    chunk: 2,
    check: false,
  })
  const results = await array
  expect(results.map(({ exitCode, stdoutTail }) => [exitCode, stdoutTail])).toEqual([
    [0, '0\n'],
    [1, '0\n'],
    [0, '1\n'],
    [1, '1\n'],
  ])
})

it('a job script runs as it is, and its directives count over the profile', async () => {
  writeFileSync(
    'job.sh',
    `#!/bin/bash
#SBATCH --job-name="my job" -c 2
#SBATCH --time=0:07:00 --mem=150M
#SBATCH --partition={{ partition }}
#SBATCH --output=slurm-%j.out

echo "$SLURM_JOB_NAME $SLURM_CPUS_PER_TASK $SLURM_MEM_PER_NODE $SLURM_JOB_PARTITION"
squeue -h -j "$SLURM_JOB_ID" -o %l
srun echo "step of {{ partition }}"
`,
  )
  const { stdoutTail } = await script('job.sh', { partition: 'long' })
  expect(stdoutTail.split('\n')).toEqual(['my job 2 150 long', '7:00', 'step of long', ''])
  await expect(script('job.sh', { partition: 'long' }, { time: '1h' })).rejects.toThrow(
    'job.sh:3: #SBATCH --time=0:07:00: the option time of the call says it, too',
  )
  const shown = await script.script('job.sh', { partition: 'long' })
  expect(shown).toContain('#SBATCH --partition=long')
  expect(shown).not.toContain('#SBATCH --time=00:05:00')
})
