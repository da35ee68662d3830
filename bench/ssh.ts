import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { close, cluster, configure } from '../src/index.ts'
import { startSshd } from '../test/clusters/sshd.ts'
import { medianMs, paired, type Row } from './measure.ts'
import { run } from './processes.ts'
import { slowLink } from './slow-link.ts'

const delayMs = 50

/** A warm call over an open ssh connection, over the same Node run through an OpenSSH ControlMaster. */
export async function ssh(): Promise<Row[]> {
  const sshd = await startSshd()
  const folder = mkdtempSync(join(tmpdir(), 'farcall-bench-'))
  const { host, user, identityFile, knownHosts } = sshd
  const place = { scheduler: 'direct', host, user, identityFile }
  const link = await slowLink(sshd.port, delayMs)
  // The same keys under the port of the slow link.
  const slowKnownHosts = join(folder, 'known_hosts')
  writeFileSync(
    slowKnownHosts,
    readFileSync(knownHosts, 'utf8').replaceAll(String(sshd.port), String(link.port)),
  )
  configure({
    profiles: {
      ssh: { ...place, port: sshd.port, knownHosts },
      slow: { ...place, port: link.port, knownHosts: slowKnownHosts },
    },
  })
  const control = ['-F', 'none', '-o', `ControlPath=${folder}/control`, '-p', String(sshd.port)]
  const login = [
    ...control,
    '-i',
    identityFile,
    '-o',
    'IdentitiesOnly=yes',
    '-o',
    `UserKnownHostsFile=${knownHosts}`,
  ]
  try {
    await run('ssh', [
      ...login,
      '-o',
      'ControlMaster=yes',
      '-o',
      'ControlPersist=60',
      '-N',
      '-f',
      `${user}@${host}`,
    ])
    const add = cluster({ profile: 'ssh' }, (n: number) => n + 1)
    const [ours, floor] = await paired(
      30,
      () => add(1),
      () => run('ssh', [...login, `${user}@${host}`, "node -e 'process.stdout.write(String(1 + 1))'"]),
    )
    const near = await medianMs(10, () => add(1))
    const far = await medianMs(10, () => add.with({ profile: 'slow' })(1))
    const roundTrips = (far - near) / delayMs
    return [
      {
        suite: 'ssh',
        what: 'a warm call on an open connection',
        value: ours,
        unit: 'ms',
        floor,
        floorName: 'the same node by OpenSSH ControlMaster',
        promise: 'at most 60 ms over it',
        kept: ours - floor <= 60,
      },
      {
        suite: 'ssh',
        what: `round trips of a call, by a link of ${delayMs} ms`,
        value: roundTrips,
        unit: 'round trips',
        promise: 'at most 4 besides the wait',
        // The wait is one more: the question that the result answers.
        kept: roundTrips <= 5,
      },
    ]
  } finally {
    await run('ssh', [...control, '-O', 'exit', `${user}@${host}`]).catch(() => '')
    await close()
    link.close()
    await sshd.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
