import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { close, cluster, configure, type Profile } from '../src/index.ts'
import { openTransport } from '../src/transport/open.ts'
import { type Sshd, startSshd } from '../test/clusters/sshd.ts'
import { medianMs, paired, type Row } from './measure.ts'
import { run } from './processes.ts'
import { slowLink } from './slow-link.ts'

const delayMs = 50

/** Calls, connections and large files over ssh, against OpenSSH's own commands. */
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
    const connections = await firstConnections(sshd)
    const large = await largeFile(sshd, folder)
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
      ...connections,
      ...large,
    ]
  } finally {
    await run('ssh', [...control, '-O', 'exit', `${user}@${host}`]).catch(() => '')
    await close()
    link.close()
    await sshd.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

const place = (sshd: Sshd, transport: 'ssh' | 'openssh'): Profile => {
  const { host, port, user, identityFile, knownHosts } = sshd
  // a login of its own: those that agree in all of it are shared
  return { scheduler: 'direct', transport, host, port, user, identityFile, knownHosts, hostKey: 'strict' }
}

/** A login and one command, until it is closed again. */
async function firstConnections(sshd: Sshd): Promise<Row[]> {
  const rows: Row[] = []
  for (const transport of ['ssh', 'openssh'] as const) {
    const [ours, floor] = await paired(
      15,
      async () => {
        const opened = openTransport(place(sshd, transport))
        await opened.exec({ argv: ['true'] })
        await opened[Symbol.asyncDispose]()
      },
      () => run('ssh', [...sshd.sshArgs, `${sshd.user}@${sshd.host}`, 'true']),
    )
    rows.push({
      suite: 'ssh',
      what: `a first connection, a command, and the end of it (transport ${transport})`,
      value: ours,
      unit: 'ms',
      floor,
      floorName: 'ssh host true',
      ...(transport === 'ssh' && { promise: 'at most 1.5 times it', kept: ours <= 1.5 * floor }),
    })
  }
  return rows
}

const largeMB = 500

/** From a file to a file. */
async function largeFile(sshd: Sshd, folder: string): Promise<Row[]> {
  const here = join(folder, 'large')
  const back = join(folder, 'back')
  await run('sh', ['-c', `head -c ${largeMB}000000 /dev/urandom >'${here}'`])
  const sftp = (command: string) =>
    run('sftp', ['-q', ...sshd.sshArgs, '-b', '-', `${sshd.user}@${sshd.host}`], `${command}\n`)
  const rows: Row[] = []
  for (const transport of ['ssh', 'openssh'] as const) {
    const opened = openTransport(place(sshd, transport))
    await opened.exec({ argv: ['true'] })
    const ways = {
      up: [
        () => opened.put([{ path: 'large', content: { localPath: here } }]),
        () => sftp(`put ${here} floor`),
      ],
      down: [async () => writeFile(back, (await opened.get('large')) ?? ''), () => sftp(`get floor ${back}`)],
    } as const
    for (const [way, [ours, floor]] of Object.entries(ways)) {
      const [mine, theirs] = await paired(3, ours, floor, 1)
      rows.push({
        suite: 'ssh',
        what: `a file of ${largeMB} MB ${way} (transport ${transport})`,
        value: largeMB / (mine / 1000),
        unit: 'MB/s',
        floor: largeMB / (theirs / 1000),
        floorName: "OpenSSH's sftp",
        ...(transport === 'ssh' && { promise: 'at least 0.8 times it', kept: theirs / mine >= 0.8 }),
      })
    }
    await opened[Symbol.asyncDispose]()
  }
  return rows
}
