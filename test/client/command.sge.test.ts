import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { close, command, configure, script } from '../../src/index.ts'
import { until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { onLogin } from './left.ts'

const { sshd } = inject('sge')
const { host, port, user, identityFile, knownHosts } = sshd
const folder = mkdtempSync(join(tmpdir(), 'farcall-sge-command-'))
const start = process.cwd()

beforeAll(() => {
  process.chdir(folder)
  const place = { scheduler: 'sge', host, port, user, identityFile, knownHosts } as const
  const resources = { time: '5m', cores: 2 }
  configure({
    profiles: { sge: { ...place, queryInterval: '2s', grace: '20s', resources } },
    defaultProfile: 'sge',
  })
})
afterAll(async () => {
  await close()
  process.chdir(start)
  removeFolder(folder)
})

it('a command and its files', async () => {
  writeFileSync('data.txt', 'b\na\n')
  const { stdoutTail, files } = await command(['sh', '-c', 'echo "$NSLOTS"; sort data.txt >sorted.txt'], {
    stage: { in: ['data.txt'], out: ['sorted.txt'] },
  })
  expect(stdoutTail).toBe('2\n')
  expect(files).toEqual([join(folder, 'sorted.txt')])
  await expect(command(['sh', '-c', 'exit 4'])).rejects.toMatchObject({ reason: 'exit-code', exitCode: 4 })
})

it('qdel, which kills at once, leaves nothing of it', async () => {
  const job = command(['sh', '-c', 'sleep 600 & sleep 601 & wait'])
  job.catch(() => {})
  const sleeping = () => onLogin(sshd, `ps -u ${user} -o args= | grep -c '^[s]leep 60[01]' || :`).trim()
  expect(await until(() => sleeping() === '2', 60_000)).toBe(true)
  await job.cancel()
  await expect(job).rejects.toMatchObject({ code: 'JOB_CANCELED' })
  expect(await until(() => sleeping() === '0', 60_000)).toBe(true)
})

it('a job script runs as it is', async () => {
  writeFileSync(
    'job.sh',
    `#!/bin/bash
#$ -N mine -cwd -V
#$ -l h_rt=600
#$ -S /bin/bash
echo "$JOB_NAME $NSLOTS $BASH_VERSION"
`,
  )
  expect((await script('job.sh')).stdoutTail).toMatch(/^mine 2 \d/)
  const shown = await script.script('job.sh')
  expect(shown.match(/^#\$ -l h_rt=.*$/gm)).toEqual(['#$ -l h_rt=600'])
})
