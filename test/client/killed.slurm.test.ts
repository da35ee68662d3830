import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { close } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { killedAtEachStep, killedAtRetry } from './killed.ts'
import { onLogin } from './left.ts'

const { sshd } = inject('slurms').accounting
const folder = mkdtempSync(join(tmpdir(), 'farcall-killed-'))
// Jobs are of another user, perhaps.
chmodSync(folder, 0o777)
const env = {
  FARCALL_SCHEDULER: 'slurm',
  FARCALL_HOST: sshd.host,
  FARCALL_PORT: String(sshd.port),
  FARCALL_USER: sshd.user,
  FARCALL_IDENTITY_FILE: sshd.identityFile,
  FARCALL_KNOWN_HOSTS: sshd.knownHosts,
  FARCALL_QUERY_INTERVAL: '2s',
  FARCALL_STORE: `${folder}/store`,
}
/** Ids of what is one call, or the same call again. */
const calls: string[][] = []

/** Each line that tells of a job names the script of its id. */
function countOf(ids: readonly string[], command: string): number {
  const lines = onLogin(sshd, command).split('\n')
  return lines.filter((line) => ids.some((id) => line.includes(`/jobs/${id}/job.`))).length
}

beforeAll(() => Object.assign(process.env, env))
afterAll(async () => {
  await close()
  for (const name of Object.keys(env)) delete process.env[name]
  removeFolder(folder)
})

describe('a program that is killed at a retry, Slurm', () => {
  killedAtRetry({
    env,
    file: (name) => join(folder, name),
    natives: (...ids) => countOf(ids, 'scontrol -o show jobs'),
  })
})

describe('a program that is killed, Slurm', () => {
  killedAtEachStep({
    env,
    file: (name) => join(folder, name),
    // Six in all: two to open, the submission, then what looks for the end and fetches.
    steps: { before: [1, 2, 3, 4, 5, 6], later: [3, 4, 5] },
    opening: 2,
    // The controller knows at once, and for five minutes (MinJobAge), accounting after some seconds.
    natives(...ids) {
      calls.push(ids)
      return countOf(ids, 'scontrol -o show jobs')
    },
  })

  it('is one job of Slurm for each call, as accounting has it in the end', async () => {
    const count = () => countOf(calls.flat(), 'sacct -X -n -P -S now-1hour -o JobID,SubmitLine')
    expect(calls.length).toBeGreaterThan(6)
    await expect.poll(count, { timeout: 30_000 }).toBe(calls.length)
  })
})
