import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { close, command, configure, localFile } from '../../src/index.ts'
import { isAlive, until } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'
import { loginProfile } from './left.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-ssh-command-'))
const start = process.cwd()

beforeAll(() => {
  // The user there is another one.
  chmodSync(folder, 0o777)
  process.chdir(folder)
  configure({ profiles: { login: loginProfile() }, defaultProfile: 'login' })
})
afterAll(async () => {
  await close()
  process.chdir(start)
  removeFolder(folder)
})

it('a program that is sent along runs there, and its output comes as it is written', async () => {
  const go = join(folder, 'go')
  writeFileSync(
    'tool',
    `#!/bin/sh\necho "one $1"; until [ -e ${go} ]; do sleep 0.1; done; cat "$2" >out.txt\n`,
    { mode: 0o755 },
  )
  writeFileSync('in.txt', 'data\n')
  const job = command(['./tool', 'x y', localFile('in.txt')], { stage: { in: ['tool'], out: ['out.txt'] } })
  for await (const line of job.logs({ follow: true })) {
    expect(line).toBe('one x y')
    writeFileSync(go, '')
  }
  expect(await job).toMatchObject({ exitCode: 0, files: [join(folder, 'out.txt')] })
  expect(readFileSync('out.txt', 'utf8')).toBe('data\n')
})

it('a cancel leaves nothing there', async () => {
  const file = join(folder, 'pids')
  const job = command(['sh', '-c', `sleep 600 & echo $! >${file}; echo $$ >>${file}; wait`])
  job.catch(() => {})
  const pids = () =>
    existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number) : []
  expect(await until(() => pids().length === 2, 20_000)).toBe(true)
  await job.cancel()
  expect(await until(() => !pids().some(isAlive), 20_000)).toBe(true)
})
