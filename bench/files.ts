import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { close, configure, connect } from '../src/index.ts'
import { startSshd } from '../test/clusters/sshd.ts'
import { median, type Row } from './measure.ts'
import { run } from './processes.ts'

const small = { files: 2_000, bytes: 4_096 }
const largeBytes = 500 * 2 ** 20

/** Files over ssh on this machine, against OpenSSH's own tools with the same keys. */
export async function files(): Promise<Row[]> {
  const sshd = await startSshd()
  const folder = mkdtempSync(join(tmpdir(), 'farcall-bench-'))
  const { host, port, user, identityFile, knownHosts } = sshd
  configure({ profiles: { ssh: { scheduler: 'direct', host, port, user, identityFile, knownHosts } } })
  const options = [
    '-F',
    'none',
    '-i',
    identityFile,
    '-o',
    'IdentitiesOnly=yes',
    '-o',
    `UserKnownHostsFile=${knownHosts}`,
  ]
  const login = ['ssh', ...options, '-p', String(port), `${user}@${host}`].join(' ')
  const many = join(folder, 'many')
  const large = join(folder, 'large')
  mkdirSync(many)
  for (let i = 0; i < small.files; i++) writeFileSync(join(many, `file-${i}.dat`), randomBytes(small.bytes))
  execFileSync('sh', ['-c', `head -c ${largeBytes} /dev/urandom >"$1"`, 'sh', large])
  const batch = (line: string) => {
    writeFileSync(join(folder, 'batch'), `${line}\n`)
    return run('sftp', ['-q', ...options, '-P', String(port), '-b', join(folder, 'batch'), `${user}@${host}`])
  }
  let count = 0
  try {
    await using cluster = await connect('ssh')
    const { fs } = cluster
    const [putMany, tarMany] = await turns(5, {
      ours: () => fs.put(many, `many-${count++}`),
      theirs: () =>
        run('sh', [
          '-c',
          `tar -cf - -C "$1" . | ${login} 'mkdir -p t${count} && tar -xf - -C t${count++}'`,
          'sh',
          many,
        ]),
    })
    const [getMany, tarBack] = await turns(5, {
      ours: () => fs.get('many-0', join(folder, `back-${count++}`)),
      theirs: () =>
        run('sh', [
          '-c',
          `mkdir "$1" && ${login} 'tar -cf - -C many-0 .' | tar -xf - -C "$1"`,
          'sh',
          join(folder, `tar-${count++}`),
        ]),
    })
    const nothing = median(await times(5, () => fs.sync(many, 'many-0', { direction: 'up' })))
    const ssh = median(await times(5, () => run('sh', ['-c', `${login} true`])))
    await fs.put(large, 'there')
    const [up, sftpUp] = await turns(3, {
      ours: () => fs.put(large, `large-${count++}`),
      theirs: () => batch(`put "${large}" sftp-${count++}`),
    })
    const [down, sftpDown] = await turns(3, {
      ours: () => fs.get('there', join(folder, `down-${count++}`)),
      theirs: () => batch(`get there "${join(folder, `sftp-${count++}`)}"`),
    })
    const row = (what: string, ours: number, theirs: number, floorName: string, most: number): Row => ({
      suite: 'files',
      what,
      value: ours,
      unit: 'ms',
      floor: theirs,
      floorName,
      promise: most >= 1 ? `at most ${most} times it` : '',
      kept: ours <= most * theirs,
    })
    return [
      row(`put ${small.files} files of ${small.bytes / 1024} kB`, putMany, tarMany, 'tar | ssh tar', 2),
      row(`get ${small.files} files of ${small.bytes / 1024} kB`, getMany, tarBack, 'ssh tar | tar', 2),
      row(`sync of ${small.files} files with nothing to do`, nothing, ssh, 'ssh host true', 3),
      row('put 500 MB', up, sftpUp, "OpenSSH's sftp", 1.25),
      row('get 500 MB', down, sftpDown, "OpenSSH's sftp", 1.25),
    ]
  } finally {
    await close()
    await sshd.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Milliseconds of both in turns: what else the machine does hits both. */
async function turns(
  rounds: number,
  { ours, theirs }: Record<'ours' | 'theirs', () => Promise<unknown>>,
): Promise<[number, number]> {
  const spent: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    spent[0].push(...(await times(1, ours)))
    spent[1].push(...(await times(1, theirs)))
  }
  return [median(spent[0]), median(spent[1])]
}

async function times(rounds: number, work: () => Promise<unknown>): Promise<number[]> {
  const spent: number[] = []
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    await work()
    spent.push(performance.now() - start)
  }
  return spent
}
