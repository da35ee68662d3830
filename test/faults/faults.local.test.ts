import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { attach, close, cluster, configure } from '../../src/index.ts'
import { root } from '../client/helpers.ts'
import { failure, jobProcesses } from '../client/left.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-faults-'))
const workdir = join(folder, 'work')
const place = { scheduler: 'direct', queryInterval: '1s', keep: 'all' } as const
configure({ profiles: { here: { ...place, workdir }, sparse: { ...place, workdir, keep: 'none' } } })
afterEach(close)
afterAll(() => removeFolder(folder))

it('blobs that were purged between two calls are sent again', async () => {
  const double = cluster({ profile: 'here' }, (n: number) => 2 * n)
  expect(await double(1)).toBe(2)
  const blobs = readdirSync(join(workdir, 'blobs'))
  expect(blobs.length).toBeGreaterThan(1)
  for (const name of blobs) rmSync(join(workdir, 'blobs', name))
  expect(await double(2)).toBe(4)
  // a purge that cuts files counts as well
  for (const name of readdirSync(join(workdir, 'blobs'))) truncateSync(join(workdir, 'blobs', name), 10)
  expect(await double(3)).toBe(6)
})

describe('a job that is taken up on another day', () => {
  const call = async () => {
    const job = cluster({ profile: 'here' }, (n: number) => new Uint8Array(n).fill(7))(100_000)
    await job
    const { id } = job
    await close()
    return { id, at: (name: string) => join(workdir, 'jobs', id, name) }
  }

  it('whose result is torn is refused as that, wherever it was cut', async () => {
    const { id, at } = await call()
    const whole = readFileSync(at('run.1.0/out.pack'))
    for (const length of [0, 1, 11, 40, 50_000, whole.length - 1]) {
      writeFileSync(at('run.1.0/out.pack'), whole.subarray(0, length))
      const job = await attach(id, { profile: 'here' })
        .then(() => 'a value')
        .catch((error) => error)
      expect({ length, code: job.code }).toEqual({ length, code: expect.stringMatching(/^RESULT_/) })
      await close()
    }
    writeFileSync(at('run.1.0/out.pack'), whole)
    expect(await attach(id, { profile: 'here' })).toEqual(new Uint8Array(100_000).fill(7))
  })

  it('whose result cannot be read is not cleaned up after, until it has been read', async () => {
    const { id, at } = await call()
    const whole = readFileSync(at('run.1.0/out.pack'))
    writeFileSync(at('run.1.0/out.pack'), whole.subarray(0, 40))
    rmSync(at('kept'))
    await failure(attach(id, { profile: 'sparse' }), {
      name: 'ResultError',
      code: 'RESULT_MISSING',
      message: /could not be read/,
      hint: /files are kept/,
    })
    await close()
    expect([at('run.1.0/out.pack'), at('collected')].map((path) => existsSync(path))).toEqual([true, false])
    writeFileSync(at('run.1.0/out.pack'), whole)
    expect(await attach(id, { profile: 'sparse' })).toEqual(new Uint8Array(100_000).fill(7))
    await close()
    expect(existsSync(at('spec.json'))).toBe(false)
  })

  it('that an older farcall has submitted, with the protocol of then, gives its result', async () => {
    // recorded when protocol 1 was the newest: never to be written anew
    cpSync(join(root, 'test/fixtures/jobs/protocol-1'), join(workdir, 'jobs'), { recursive: true })
    const squares = new Map([1, 2, 3].map((n) => [n, { square: n * n, when: new Date(0) }]))
    expect(await attach('f5s2cybyamvrlj', { profile: 'here' })).toEqual(squares)
  })

  it('that a newer farcall has written is refused by name', async () => {
    const { id, at } = await call()
    const spec = JSON.parse(readFileSync(at('spec.json'), 'utf8'))
    writeFileSync(at('spec.json'), JSON.stringify({ ...spec, protocol: 99, farcall: '9.9.9' }))
    await failure(attach(id, { profile: 'here' }), {
      name: 'ResultError',
      code: 'PROTOCOL_NEWER',
      message: /farcall 9\.9\.9 \(protocol 99\)/,
      hint: /update/,
    })
  })
})

describe.runIf(process.getuid?.() === 0)('a work folder that becomes read-only', () => {
  const disk = join(folder, 'disk')
  /** A script ends after its result is here, and has its log open until then. */
  const scriptsEnded = () =>
    expect.poll(() => jobProcesses(join(disk, 'work')), { timeout: 30_000 }).toEqual([])
  it('refuses the next call by name, and serves again', async () => {
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m,mode=700', 'tmpfs', disk])
    try {
      configure({ profiles: { disk: { ...place, workdir: join(disk, 'work') } } })
      const double = cluster({ profile: 'disk' }, (n: number) => 2 * n)
      expect(await double(1)).toBe(2)
      await scriptsEnded()
      execFileSync('mount', ['-o', 'remount,ro', disk])
      await failure(double(2), { name: 'SubmitError', code: 'WORKDIR_UNUSABLE', message: /[Rr]ead-only/ })
      execFileSync('mount', ['-o', 'remount,rw', disk])
      expect(await double(3)).toBe(6)
      await close()
    } finally {
      await scriptsEnded()
      execFileSync('umount', [disk])
    }
  })
})
