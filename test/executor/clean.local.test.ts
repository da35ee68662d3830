import { spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { parseCleaned } from '../../src/executor/batch/clean.ts'
import { cleanScript } from '../../src/executor/batch/clean-script.ts'
import { removeFolder } from '../remove-folder.ts'

const onPath = (name: string) =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)))
const shells = [['dash'], ['bash'], ['bash', '--posix'], ['busybox', 'sh']].filter(([name]) => onPath(name!))

const top = mkdtempSync(join(tmpdir(), 'farcall-clean-'))
afterAll(() => removeFolder(top))

const applets = join(top, 'applets')
if (onPath('busybox')) {
  mkdirSync(applets)
  spawnSync('busybox', ['--install', '-s', applets])
  // It is no applet of its own.
  spawnSync('cp', ['-P', join(applets, 'sh'), join(applets, 'busybox')])
}

const day = 86_400
const job = (letter: string) => `f${letter.repeat(13)}`
const hash = (digit: string) => digit.repeat(64)

describe.each(shells)('the cleaner in %s %s', (...words) => {
  const shell = words.filter((word): word is string => typeof word === 'string')
  const env = { ...process.env, ...(shell[0] === 'busybox' ? { PATH: applets } : {}) }
  let workdir: string
  let outside: string
  let count = 0

  const path = (name: string) => join(workdir, name)
  const put = (name: string, ageDays = 0, content = '') => {
    mkdirSync(join(path(name), '..'), { recursive: true })
    writeFileSync(path(name), content)
    age(name, ageDays)
  }
  const age = (name: string, days: number) => {
    const time = Date.now() / 1000 - days * day
    utimesSync(path(name), time, time)
  }
  /** A job as it lies there when it is over; `marker` as `collected:8`, the age in days. */
  const putJob = (letter: string, ageDays: number, marker = '', uses: readonly string[] = []) => {
    const folder = `jobs/${job(letter)}`
    put(`${folder}/spec.json`, ageDays, JSON.stringify({ id: job(letter), uses }))
    put(`${folder}/submit.1/rc`, ageDays, '0\n')
    put(`${folder}/run.1.0/end`, ageDays, '{}\n')
    const [name, days] = marker.split(':')
    if (name) put(`${folder}/${name}`, Number(days))
    for (const part of ['submit.1', 'run.1.0', '']) age(`${folder}/${part}`, ageDays)
  }

  interface Ages {
    mode?: 'now' | 'daily' | 'dry'
    collected?: number
    kept?: number
    silent?: number
    blobs?: number
    stdin?: string
    /** After which it stops by itself. */
    limit?: number
    /** Defined before it begins. */
    before?: string
  }
  const clean = ({
    mode = 'now',
    collected = 7,
    kept,
    silent,
    blobs = 30,
    stdin = '',
    limit = 0,
    before = '',
  }: Ages = {}) => {
    const seconds = [collected, kept, silent, blobs].map((days) =>
      days === undefined ? '' : `${days * day}`,
    )
    const script = `${before}\n${cleanScript}`
    const [program, ...args] = [...shell, '-c', script, 'farcall', workdir, mode, ...seconds, `${limit}`]
    const result = spawnSync(program!, args, { env, input: stdin, encoding: 'utf8' })
    expect({ status: result.status, stderr: result.stderr }).toEqual({ status: 0, stderr: '' })
    const cleaned = parseCleaned(result.stdout)
    return { ...cleaned, jobs: [...cleaned.jobs].sort(), blobs: [...cleaned.blobs].sort() }
  }

  beforeEach(() => {
    workdir = join(top, `${shell.join('-')}-${count++}`, `it's a "$(work)" dir é`)
    outside = join(workdir, '..', 'outside')
    for (const name of ['jobs', 'blobs', 'inbox']) mkdirSync(join(workdir, name), { recursive: true })
    mkdirSync(outside)
    writeFileSync(join(outside, 'precious'), 'data')
    const time = Date.now() / 1000 - 1000 * day
    for (const name of ['precious', '.']) utimesSync(join(outside, name), time, time)
  })

  it('removes what was collected long ago, and nothing that was not', () => {
    putJob('a', 400, 'collected:8')
    putJob('b', 400, 'collected:6')
    putJob('c', 400)
    putJob('d', 400, 'kept:399')
    writeFileSync(path(`jobs/${job('a')}/run.1.0/out.pack`), Buffer.alloc(100_000))
    const cleaned = clean()
    expect(cleaned).toMatchObject({ jobs: [job('a')], blobs: [] })
    expect(cleaned.bytes).toBeGreaterThanOrEqual(100_000)
    expect(readdirSync(path('jobs')).sort()).toEqual([job('b'), job('c'), job('d')])
    expect(clean({ kept: 30 }).jobs).toEqual([job('d')])
    expect(readdirSync(path('clean'))).toEqual(['stamp'])
  })

  it('removes archives of packages that no job names, and what says which one is of which packages', () => {
    for (const [digit, days] of [
      ['a', 31],
      ['b', 31],
      ['c', 29],
    ] as const) {
      put(`blobs/${hash(digit)}.tgz`, days)
      put(`env/${hash(digit)}`, days)
    }
    put(`env/${hash('d')}.lock`, 2)
    put(`env/${hash('e')}.lock`, 0)
    put('env/somebody else’s', 99)
    putJob('a', 1, '', [`${hash('b')}`])
    expect(clean().blobs).toEqual([`${hash('a')}.tgz`])
    expect(readdirSync(path('env')).sort()).toEqual([hash('c'), `${hash('e')}.lock`, 'somebody else’s'])
  })

  it('removes many', () => {
    const ids = Array.from(
      { length: 120 },
      (_, i) => `f${'a'.repeat(11)}${'abcdefghijklmnop'[i >> 3]}${'abcdefgh'[i & 7]}`,
    )
    for (const id of ids) put(`jobs/${id}/collected`, 9)
    expect(clean({ mode: 'dry' }).jobs).toEqual(ids.sort())
    expect(readdirSync(path('jobs'))).toHaveLength(120)
    expect(clean().jobs).toEqual(ids)
    expect(readdirSync(path('jobs'))).toEqual([])
  })

  it('says what would go, and leaves it', () => {
    putJob('a', 400, 'collected:8')
    put(`blobs/${hash('0')}.mjs`, 31, 'x'.repeat(50_000))
    put('jobs/.out.1/x', 3)
    const dry = clean({ mode: 'dry' })
    expect(dry).toMatchObject({ jobs: [job('a')], blobs: [`${hash('0')}.mjs`] })
    expect(dry.bytes).toBeGreaterThanOrEqual(50_000)
    expect(existsSync(path('clean/stamp'))).toBe(false)
    expect(existsSync(path('jobs/.out.1/x'))).toBe(true)
    expect(clean()).toEqual(dry)
    expect(readdirSync(path('blobs'))).toEqual([])
  })

  it('runs once a day, by the clock of the disk', () => {
    expect(clean({ mode: 'daily' }).jobs).toEqual([])
    putJob('a', 400, 'collected:8')
    expect(clean({ mode: 'daily' }).jobs).toEqual([])
    age('clean/stamp', 1.01)
    expect(clean({ mode: 'daily' }).jobs).toEqual([job('a')])
    expect(Date.now() - statSync(path('clean/stamp')).mtimeMs).toBeLessThan(60_000)
  })

  it('removes blobs by their last use, and none that a job names, collected or not', () => {
    putJob('a', 400, '', [hash('a')])
    putJob('b', 400, 'collected:1', [hash('b')])
    // A second attempt has a spec of its own.
    put(`jobs/${job('a')}/spec.2.json`, 400, `{"uses":"${hash('f')}"}`)
    put(`blobs/${hash('f')}.cjs`, 31)
    put('jobs/.in.x/spec.json', 0, `{"uses":"${hash('d')}"}`)
    for (const digit of ['a', 'b', 'c', 'd', 'e']) put(`blobs/${hash(digit)}.cjs`, digit === 'e' ? 29 : 31)
    expect(clean().blobs).toEqual([`${hash('c')}.cjs`])
    expect(readdirSync(path('blobs'))).toHaveLength(5)
    expect(existsSync(path('clean/lock'))).toBe(false)
  })

  it('removes no blob when a spec cannot be read', () => {
    put(`blobs/${hash('c')}.cjs`, 31)
    // A folder in its place: cat fails, as it does where a disk gives an error.
    putJob('a', 1)
    rmSync(path(`jobs/${job('a')}/spec.json`))
    symlinkSync('/proc/self/mem', path(`jobs/${job('a')}/spec.json`))
    const [program, ...args] = [
      ...shell,
      '-c',
      cleanScript,
      'farcall',
      workdir,
      'now',
      '1',
      '',
      '',
      '86400',
      '0',
    ]
    const { stdout } = spawnSync(program!, args, { env, encoding: 'utf8' })
    expect(parseCleaned(stdout).blobs).toEqual([])
    expect(existsSync(path(`blobs/${hash('c')}.cjs`))).toBe(true)
  })

  it('removes a Node by its last use, and none that a job names', () => {
    const names = ['16.20.2-linux-x64', '20.20.2-linux-x64', '22.1.0-linux-arm64', '24.1.0-linux-x64']
    for (const name of names) {
      const days = name.startsWith('24') ? 2 : 40
      put(`node/${name}/needs`, days, '2.28 4\n')
      put(`node/${name}/bin/node`, days, 'node')
    }
    put('node/.in.abcdef01.gz', 2)
    put('node/mine/bin/node', 40)
    symlinkSync(outside, path('node/18.0.0-linux-x64'))
    putJob('n', 50)
    put(
      `jobs/${job('n')}/spec.json`,
      50,
      JSON.stringify({ interpreter: { from: 'runtime', folder: names[1] } }),
    )
    const gone = [`node/${names[0]}`, `node/${names[2]}`]
    expect(clean({ mode: 'dry' }).blobs).toEqual(gone)
    expect(existsSync(path(gone[0]!))).toBe(true)
    expect(clean().blobs).toEqual(gone)
    expect(readdirSync(path('node')).sort()).toEqual(['18.0.0-linux-x64', names[1], names[3], 'mine'])
    removeFolder(path(`jobs/${job('n')}`))
    expect(clean().blobs).toEqual([`node/${names[1]}`])
  })

  it('leaves blobs to a cleaner that is at it, and breaks the lock of one that died', () => {
    put(`blobs/${hash('c')}.cjs`, 31)
    mkdirSync(path('clean/lock'), { recursive: true })
    expect(clean().blobs).toEqual([])
    age('clean/lock', 2)
    expect(clean().blobs).toEqual([`${hash('c')}.cjs`])
  })

  it('removes uncollected jobs that it is told, when nothing has happened in them', () => {
    putJob('a', 400)
    putJob('b', 400)
    put(`jobs/${job('b')}/run.1.0/log.out`, 5)
    putJob('c', 400)
    putJob('d', 400, 'collected:3')
    const stdin = `${job('a')}\n${job('b')}\n${job('d')}\n../outside\n-rf\n${job('a')}/../../outside\n`
    expect(clean({ silent: 30, stdin }).jobs).toEqual([job('a')])
    expect(readdirSync(path('jobs'))).toEqual([job('b'), job('c'), job('d')])
    expect(existsSync(join(outside, 'precious'))).toBe(true)
  })

  it('leaves all blobs when there is no time to see whether a job names them', () => {
    put(`blobs/${hash('a')}.mjs`, 40)
    // A clock that goes a second further each time it is asked.
    const asked =
      'date() { if [ "$1" = +%s ]; then echo >>"$HOME/asked"; wc -l <"$HOME/asked"; else command date "$@"; fi; }'
    const before = `HOME='${top}/${count}'; mkdir -p "$HOME"; ${asked}`
    const letters = 'abcdefghijklmnopqrstuvwxyz'
    for (let n = 0; n < 520; n++)
      mkdirSync(path(`jobs/f${'a'.repeat(11)}${letters[Math.floor(n / 26)]}${letters[n % 26]}`))
    expect(clean({ before, limit: 1 }).blobs).toEqual([])
    expect(clean({ before, limit: 1000 }).blobs).toEqual([`${hash('a')}.mjs`])
  })

  it('removes what cut-off work left, after a day', () => {
    for (const days of [0, 2]) {
      for (const name of [`jobs/.in.${job('a')}.1.${days}`, `jobs/.out.${days}`, `blobs/.out.${days}`]) {
        put(`${name}/file`, days)
        age(name, days)
      }
      put(`.queue.slurm.${days}`, days)
      put(`blobs/.put-00${days}`, days)
      put(`inbox/.probe.${days}`, days)
      put(`clean/4${days}.now`, days)
    }
    put('queue.slurm', 20)
    // Cut off before anything was submitted.
    put(`jobs/${job('e')}/spec.json`, 2)
    age(`jobs/${job('e')}`, 2)
    put(`jobs/${job('g')}/spec.json`, 0)
    expect(clean().jobs).toEqual([job('e')])
    expect(readdirSync(path('.')).sort()).toEqual([
      '.queue.slurm.0',
      'blobs',
      'clean',
      'inbox',
      'jobs',
      'queue.slurm',
    ])
    expect(readdirSync(path('jobs')).sort()).toEqual([`.in.${job('a')}.1.0`, '.out.0', job('g')])
    expect(readdirSync(path('blobs')).sort()).toEqual(['.out.0', '.put-000'])
    expect(readdirSync(path('inbox'))).toEqual(['.probe.0'])
    expect(readdirSync(path('clean')).sort()).toEqual(['40.now', 'stamp'])
  })

  it('removes the notices of dead clients, but not of jobs that nobody has collected', () => {
    putJob('a', 400)
    putJob('b', 400, 'collected:3')
    for (const letter of ['a', 'b', 'z']) put(`inbox/cdead/${job(letter)}.1.0`, 2)
    put(`inbox/cdead/${job('z')}.1.1`, 0)
    put(`inbox/cdead/.${job('z')}.1.2`, 2)
    put('inbox/cdead/other', 20)
    mkdirSync(path('inbox/cgone'))
    age('inbox/cgone', 2)
    mkdirSync(path('inbox/cnew'))
    clean()
    expect(readdirSync(path('inbox')).sort()).toEqual(['cdead', 'cnew'])
    expect(readdirSync(path('inbox/cdead')).sort()).toEqual([`${job('a')}.1.0`, `${job('z')}.1.1`, 'other'])
  })

  it('follows no link out of the work folder, at any level', () => {
    symlinkSync(outside, path(`jobs/${job('a')}`))
    putJob('b', 400, 'collected:9')
    symlinkSync(outside, path(`jobs/${job('b')}/run.1.0/away`))
    symlinkSync(join(outside, 'precious'), path(`jobs/${job('b')}/file`))
    putJob('c', 400)
    symlinkSync(join(outside, 'precious'), path(`jobs/${job('c')}/collected`))
    age(`jobs/${job('c')}`, 400)
    symlinkSync(outside, path('jobs/.out.7'))
    symlinkSync(outside, path('inbox/cout'))
    symlinkSync(join(outside, 'precious'), path(`blobs/${hash('1')}.mjs`))
    mkdirSync(path('clean'))
    symlinkSync(join(outside, 'precious'), path('clean/stamp'))
    writeFileSync(join(outside, `${job('z')}.1.0`), '')
    utimesSync(join(outside, `${job('z')}.1.0`), 1, 1)
    const before = lstatSync(join(outside, 'precious')).mtimeMs
    expect(clean({ silent: 1, stdin: `${job('a')}\n${job('c')}\n` }).jobs).toEqual([job('b')])
    expect(readdirSync(outside).sort()).toEqual([`${job('z')}.1.0`, 'precious'])
    expect(lstatSync(join(outside, 'precious')).mtimeMs).toBe(before)
    expect(lstatSync(path('clean/stamp')).isFile()).toBe(true)
  })

  it.each(['jobs', 'blobs', 'inbox'])('leaves %s alone when it is a link itself', (name) => {
    putJob('a', 400, 'collected:9')
    put(`blobs/${hash('1')}.mjs`, 90)
    put(`inbox/cdead/${job('z')}.1.0`, 2)
    const there = join(outside, name)
    spawnSync('mv', [path(name), there])
    symlinkSync(there, path(name))
    clean()
    expect(readdirSync(there)).toHaveLength(1)
    expect(readdirSync(join(there, readdirSync(there)[0]!).replace(/\/[0-9a-f]{64}\.mjs$/, ''))).not.toEqual(
      [],
    )
  })

  it('touches no name that is not exactly ours', () => {
    const names = [
      `${job('a')}x`,
      job('a').toUpperCase(),
      'faaaaaaaaaaaa1',
      'faaaaaaaaaaaa\n',
      `x\n${job('b')}`,
      '-rf',
      '.in.x y',
      '.out.\n..',
      '..data',
      '* *',
    ]
    for (const name of names) {
      put(`jobs/${name}/collected`, 400)
      age(`jobs/${name}`, 400)
    }
    const blobs = [
      `${hash('1')}`,
      `${hash('1')}.`,
      `${hash('1')}.mjs x`,
      `${hash('G')}.mjs`,
      '-rf.mjs',
      `${hash('1')}.m\n`,
    ]
    for (const name of blobs) put(`blobs/${name}`, 400)
    put(`inbox/c a/${job('z')}.1.0`, 400)
    put(`inbox/cdead/${job('z')}.1 0`, 400)
    put(`inbox/cdead/${job('z')}.1\n${outside}/precious`, 400)
    expect(clean({ collected: 0, kept: 0 })).toMatchObject({ jobs: [], blobs: [] })
    expect(readdirSync(path('jobs')).sort()).toEqual(names.sort())
    expect(readdirSync(path('blobs')).sort()).toEqual(blobs.sort())
    expect(readdirSync(path('inbox/c a'))).toHaveLength(1)
    expect(readdirSync(path('inbox/cdead'))).toHaveLength(2)
    expect(existsSync(join(outside, 'precious'))).toBe(true)
  })
})
