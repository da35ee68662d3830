import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { attach, close, command, configure, jobs, script } from '../../src/index.ts'
import { simulateScheduler } from '../../src/testing/simulated/simulated.ts'
import { removeFolder } from '../remove-folder.ts'

const start = process.cwd()
const folder = mkdtempSync(join(tmpdir(), 'farcall-script-'))

beforeAll(() => {
  process.chdir(folder)
  const here = { scheduler: 'direct', workdir: join(folder, 'work'), queryInterval: '1s' } as const
  configure({ profiles: { here }, defaultProfile: 'here' })
})
afterEach(close)
afterAll(() => {
  process.chdir(start)
  removeFolder(folder)
})

test('a script runs under what its first line names, in its folder, with its files', async () => {
  writeFileSync(
    'bash.sh',
    '#!/bin/bash -e\na=(1 2 3)\necho "${#a[@]} $0 $-"; cat data.txt; false; echo never\n',
  )
  writeFileSync('python.py', '#!/usr/bin/env python3\nimport sys\nprint(sys.version_info[0], sys.argv)\n')
  writeFileSync('plain.sh', 'echo plain; pwd\n')
  writeFileSync('data.txt', 'data\n')
  const bash = script('bash.sh', undefined, { stage: { in: ['data.txt'] }, tags: ['bash'] })
  await expect(bash).rejects.toMatchObject({ reason: 'exit-code', exitCode: 1 })
  const lines: string[] = []
  for await (const line of bash.logs()) lines.push(line)
  expect(lines).toEqual([expect.stringMatching(/^3 \/.*\/bash\.sh .*e/), 'data'])
  expect(await jobs({ tag: 'bash' })).toMatchObject([{ name: 'bash.sh' }])
  expect((await script('python.py')).stdoutTail).toMatch(/^3 \['\/.*\/python\.py'\]\n$/)
  expect((await script('plain.sh')).stdoutTail).toMatch(/^plain\n\/.*\/work\.0\n$/)
})

test('raw text and arguments arrive as they are', async () => {
  writeFileSync('raw.sh', '#!/bin/sh\nprintf "%s|" "{{ seed }}" "$#" "$@"\n')
  const { stdoutTail } = await script('raw.sh', undefined, { raw: true, args: ['two words', '$HOME', 3] })
  expect(stdoutTail).toBe('{{ seed }}|3|two words|$HOME|3|')
})

test('variables; those of one turn travel together', async () => {
  writeFileSync('job.sh', '#!/bin/sh\necho {{ word | sh }} >out.txt\n')
  const words = ["it's", '$HOME', '{{ x }}']
  const all = words.map((word) => script('job.sh', { word }, { stage: { out: ['out.txt'], to: 'out' } }))
  const results = await Promise.all(all)
  expect(results.map(({ files }) => readFileSync(files[0]!, 'utf8'))).toEqual(
    words.map((word) => `${word}\n`),
  )
  expect(new Set(all.map(({ id }) => id.replace(/\[.*/, ''))).size).toBe(1)
  expect(await attach(all[0]!.id)).toMatchObject({ exitCode: 0 })
  expect(() => script('job.sh', {})).toThrow('job.sh:2: undefined variable: word')
})

test('a shell that is not there is named', async () => {
  writeFileSync('odd.sh', '#!/opt/none/bin/fish\n')
  await expect(script('odd.sh')).rejects.toMatchObject({
    reason: 'launch-failed',
    exitCode: 127,
    message: expect.stringContaining('/opt/none/bin/fish'),
  })
})

for (const kind of ['pbs', 'torque'] as const)
  test(`directives on a simulated ${kind}`, async () => {
    const simulated = await simulateScheduler(kind, { killDelay: 1 })
    mkdirSync(kind)
    configure({
      profiles: {
        [kind]: {
          scheduler: kind,
          workdir: join(folder, kind),
          queryInterval: '1s',
          grace: '5s',
          resources: { time: '2h', cores: 2 },
        },
      },
    })
    try {
      const list = kind === 'pbs' ? 'select=1:ncpus=1:mem=100mb' : 'nodes=1:ppn=1'
      writeFileSync(
        'job.pbs',
        `#!/bin/sh\n#PBS -N mine -l walltime=0:10:00\n#PBS -l ${list}\necho "$PBS_JOBNAME"\n`,
      )
      expect((await script('job.pbs', undefined, { profile: kind })).stdoutTail).toBe('mine\n')
      const shown = await script.script('job.pbs', undefined, { profile: kind })
      const directives = shown.split('\n').filter((line) => line.startsWith('#PBS -l'))
      expect(directives).toEqual(['#PBS -l walltime=0:10:00', `#PBS -l ${list}`])
      await expect(script('job.pbs', undefined, { profile: kind, time: '1h' })).rejects.toThrow(
        'job.pbs:2: #PBS -l walltime=0:10:00: the option time of the call says it, too',
      )
      expect((await command(['echo', 1], { profile: kind })).stdoutTail).toBe('1\n')
    } finally {
      await close()
      await simulated.close()
    }
  })
