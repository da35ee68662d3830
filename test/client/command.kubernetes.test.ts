import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { close, command, configure, script } from '../../src/index.ts'
import { makeNamespace } from '../clusters/kubernetes/namespace.ts'
import { removeFolder } from '../remove-folder.ts'

const server = inject('kubernetes')
const namespace = await makeNamespace(server)
const folder = mkdtempSync(join(tmpdir(), 'farcall-kubernetes-command-'))
const start = process.cwd()

beforeAll(() => {
  process.chdir(folder)
  const { kubeconfig } = namespace
  const kubernetes = {
    image: server.image,
    kubeconfig,
    imagePullPolicy: 'Never',
    gracePeriod: '10s',
  } as const
  configure({
    profiles: { lab: { scheduler: 'kubernetes', kubernetes, resources: { memory: '200MB' } } },
    defaultProfile: 'lab',
  })
})
afterAll(async () => {
  await close()
  process.chdir(start)
  removeFolder(folder)
})

it('a command of the image, with its log', async () => {
  const job = command(['sh', '-c', 'echo out; echo words >&2; pwd'])
  const lines: string[] = []
  for await (const line of job.logs({ follow: true })) lines.push(line)
  const result = await job
  expect(result).toMatchObject({ exitCode: 0, stderrTail: 'words\n', files: [] })
  expect(result.stdoutTail.split('\n')).toEqual([...lines, ''])
  expect(lines).toEqual(['out', expect.stringMatching(/work\.0$/)])
})

it('what the image does not have is named', async () => {
  await expect(command(['no-such-program', 'x'])).rejects.toMatchObject({
    reason: 'launch-failed',
    exitCode: 127,
    message: expect.stringMatching(/there is no command no-such-program on .*; PATH is \//),
    hint: expect.stringContaining('an image that has it'),
  })
})

it('an exit code, and a job script', async () => {
  const job = command(['sh', '-c', 'echo no >&2; exit 9'])
  await expect(job).rejects.toMatchObject({ reason: 'exit-code', exitCode: 9, stderrTail: 'no' })
  writeFileSync('job.sh', '#!/bin/sh\n#SBATCH --time=1\necho {{ word | sh }}\n')
  expect((await script('job.sh', { word: 'a  b' })).stdoutTail).toBe('a  b\n')
})

it('hears that it is to end when it is canceled', async () => {
  const job = command([
    'sh',
    '-c',
    `trap 'echo TERM; sleep 1; echo over; exit 0' TERM; echo ready; while :; do sleep 0.1; done`,
  ])
  job.catch(() => {})
  const lines: string[] = []
  for await (const line of job.logs({ follow: true })) {
    lines.push(line)
    if (line === 'ready') await job.cancel()
  }
  await expect(job).rejects.toMatchObject({ code: 'JOB_CANCELED' })
  expect(lines.slice(0, 3)).toEqual(['ready', 'TERM', 'over'])
})
