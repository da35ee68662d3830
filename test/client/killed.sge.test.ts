import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, inject } from 'vitest'
import { close } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { killedAtEachStep } from './killed.ts'
import { onLogin } from './left.ts'

const { sshd } = inject('sge')
const folder = mkdtempSync(join(tmpdir(), 'farcall-killed-'))
// Jobs are of another user.
chmodSync(folder, 0o777)
const env = {
  FARCALL_SCHEDULER: 'sge',
  FARCALL_HOST: sshd.host,
  FARCALL_PORT: String(sshd.port),
  FARCALL_USER: sshd.user,
  FARCALL_IDENTITY_FILE: sshd.identityFile,
  FARCALL_KNOWN_HOSTS: sshd.knownHosts,
  FARCALL_QUERY_INTERVAL: '2s',
  FARCALL_STORE: `${folder}/store`,
}
let counted = 0

/** Jobs that have come to accounting since it was asked before. */
function newJobs(): number {
  const wait = 'n=0; while [ -n "$(qstat)" ] && [ $n -lt 100 ]; do sleep 0.2; n=$((n + 1)); done'
  const all = Number(onLogin(sshd, `${wait}; qacct -o "$(id -un)" -j | grep -c ^jobnumber || true`))
  const since = all - counted
  counted = all
  return since
}

beforeAll(() => {
  Object.assign(process.env, env)
  newJobs()
})
afterAll(async () => {
  await close()
  for (const name of Object.keys(env)) delete process.env[name]
  removeFolder(folder)
})

describe('a program that is killed, Grid Engine', () => {
  killedAtEachStep({
    env,
    file: (name) => join(folder, name),
    // Three to open, as the site is asked what it has; then the submission, and what looks for the end.
    steps: { before: [4], later: [4] },
    opening: 3,
    natives: newJobs,
  })
})
