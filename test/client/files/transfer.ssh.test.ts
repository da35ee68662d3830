import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { clusterFiles } from '../../../src/executor/files/cluster-files.ts'
import { createSshTransport } from '../../../src/transport/ssh.ts'
import { loginProfile } from '../left.ts'
import { sha, transferSuite } from './transfer-suite.ts'

const sshd = inject('sshd')
const transport = () => {
  const { host = sshd.host, ...profile } = loginProfile({})
  return createSshTransport({ ...profile, host })
}

transferSuite('over ssh', async () => clusterFiles(transport(), false))

test('a connection that is cut again and again only delays a large file, up and down', {
  timeout: 150_000,
}, async () => {
  const folder = mkdtempSync(join(process.env['FARCALL_TEST_FOLDER']!, 'cut-'))
  const large = randomBytes(150_000_000)
  writeFileSync(join(folder, 'large'), large)
  await using over = transport()
  const fs = clusterFiles(over, false)
  // The session's own process, and with it the connection: each time that much more has arrived.
  const cutter = transport()
  let [cuts, next] = [0, 40_000_000]
  const cut = ({ bytes }: { bytes: number }) => {
    if (bytes < next) return
    next += 60_000_000
    cuts++
    void cutter.exec({ argv: ['sh', '-c', killOthers] })
  }
  await fs.put(join(folder, 'large'), 'cut/large', { onProgress: cut })
  expect(sha(readFileSync(`${sshd.home}/cut/large`))).toBe(sha(large))
  expect((await fs.ls('cut')).map(({ name }) => name)).toEqual(['large'])
  const up = cuts
  next = 40_000_000
  await fs.get('cut/large', join(folder, 'back'), { onProgress: cut })
  expect(sha(readFileSync(join(folder, 'back')))).toBe(sha(large))
  expect([up > 0, cuts > up]).toEqual([true, true])
  await cutter[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

/** Ends all sessions of this user but the one that this runs in. */
const killOthers = `own=$(ps -o ppid= -p "$PPID" | tr -d ' ')
for p in $(pgrep -u "$(id -u)" -f '^sshd:'); do
  case " $own $PPID $(ps -o ppid= -p "$own" | tr -d ' ') " in *" $p "*) ;; *) kill -KILL "$p" ;; esac
done`
