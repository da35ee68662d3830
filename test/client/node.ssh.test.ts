import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { close, cluster, configure, type Profile } from '../../src/index.ts'
import { type Rootfs, startRootfs } from '../clusters/rootfs.ts'
import { removeFolder } from '../remove-folder.ts'

const isRoot = process.getuid?.() === 0
let machine: Rootfs
let count = 0

/** A profile of its own: nothing is remembered of the place. */
function on(
  { sshd: { host, port, user, identityFile, knownHosts } }: Rootfs,
  more: Partial<Profile> = {},
): string {
  const name = `root${count++}`
  const place = {
    scheduler: 'direct',
    host,
    port,
    user,
    identityFile,
    knownHosts,
    workdir: '/scratch',
    keep: 'none',
  } as const
  configure({ profiles: { [name]: { ...place, environment: { variables: { PLACE: name } }, ...more } } })
  return name
}

const whichNode = (profile: string, node = 'auto') =>
  cluster({ profile, environment: { node } }, (n: number) => [n * n, process.version, process.execPath])

const runtimes = () => readdirSync(join(machine.workdir, 'node'))
const program = (name = runtimes()[0]!) => join(machine.workdir, 'node', name, 'bin/node')

afterEach(close)

describe.runIf(isRoot)('a machine with a shell, coreutils and glibc alone', () => {
  beforeAll(async () => {
    machine = await startRootfs('glibc')
  })
  afterAll(() => machine?.stop())

  it('runs a function on the Node of this process, which is sent there once', async () => {
    const square = whichNode(on(machine))
    const name = `${process.versions.node}-linux-x64`
    expect(await square(3)).toEqual([9, process.version, `/scratch/node/${name}/bin/node`])
    expect(runtimes()).toEqual([name])
    const { ino } = statSync(program())
    expect(await square.map([4, 5])).toEqual([4, 5].map((n) => [n * n, process.version, expect.any(String)]))
    // Another program finds it there.
    await close()
    expect(await whichNode(on(machine))(6)).toEqual([36, process.version, expect.any(String)])
    expect(statSync(program()).ino).toBe(ino)
  })

  it('gets it again when it was purged or cut', async () => {
    const square = whichNode(on(machine))
    await square(1)
    rmSync(program())
    expect(await square(2)).toEqual([4, process.version, expect.any(String)])
    // A file of its own in its place: what runs cannot be written into, and the last job may not have quite ended.
    const cut = readFileSync(program()).subarray(0, 4096)
    rmSync(program())
    writeFileSync(program(), cut, { mode: 0o755 })
    expect(await square(3)).toEqual([9, process.version, expect.any(String)])
    removeFolder(join(machine.workdir, 'node'))
    await close()
    expect(await square(4)).toEqual([16, process.version, expect.any(String)])
  })

  it('gets one from two programs that send it at once', async () => {
    removeFolder(join(machine.workdir, 'node'))
    const results = await Promise.all([whichNode(on(machine))(1), whichNode(on(machine))(2)])
    expect(results.map(([square]) => square)).toEqual([1, 4])
    // The one that came second may still be clearing up.
    await expect.poll(runtimes, { timeout: 20_000 }).toEqual([`${process.versions.node}-linux-x64`])
  })

  it('with glibc 2.17 runs it on 16.20.2, which is sent before the first job', async () => {
    // The library itself is a newer one: what it says is what counts for the choice.
    machine.put('getconf', 'echo glibc 2.17')
    removeFolder(join(machine.workdir, 'node'))
    expect(await whichNode(on(machine))(3)).toEqual([
      9,
      'v16.20.2',
      '/scratch/node/16.20.2-linux-x64/bin/node',
    ])
    await expect(whichNode(on(machine), '>=20')(3)).rejects.toMatchObject({
      code: 'INTERPRETER_MISSING',
      message: expect.stringMatching(/has glibc 2\.17, and Node >= 20 needs 2\.28 .*'auto' takes Node 16/),
    })
  })

  it('without libstdc++ is told so', async () => {
    removeFolder(join(machine.workdir, 'node'))
    machine.hide(/^libstdc\+\+/)
    await expect(whichNode(on(machine))(3)).rejects.toMatchObject({
      code: 'INTERPRETER_MISSING',
      message: expect.stringMatching(/has no libstdc\+\+\.so\.6 where programs look for it.*g\+\+/),
    })
  })

  it('with an older glibc is told so', async () => {
    machine.put('getconf', 'echo glibc 2.12')
    removeFolder(join(machine.workdir, 'node'))
    await expect(whichNode(on(machine))(3)).rejects.toMatchObject({
      code: 'INTERPRETER_MISSING',
      message: expect.stringMatching(/has glibc 2\.12, and the oldest Node that farcall runs on needs 2\.17/),
    })
  })
})

describe.runIf(isRoot)('a machine with musl', () => {
  beforeAll(async () => {
    machine = await startRootfs('musl')
  })
  afterAll(() => machine?.stop())

  it('is told so, with the way out, and not by a loader', async () => {
    const error = await whichNode(on(machine))(3).catch((error: unknown) => error)
    expect(error).toMatchObject({
      code: 'INTERPRETER_MISSING',
      message: expect.stringMatching(/has musl instead of glibc, .* \(Alpine: apk add nodejs\)/),
      stderrTail: '',
    })
  })
})
