import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { attach, close, cluster, configure, jobs } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { failure } from './left.ts'

// Only root may mount.
describe.runIf(process.getuid?.() === 0)('a full disk below the record of jobs', () => {
  let folder: string
  let disk: string
  let warnings: string[]
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'farcall-full-'))
    disk = join(folder, 'disk')
    execFileSync('mkdir', [disk])
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=700', 'tmpfs', disk])
    process.env['FARCALL_STORE'] = join(disk, 'store')
    const place = { scheduler: 'direct', workdir: join(folder, 'work'), queryInterval: '1s' }
    configure({ profiles: { here: place }, defaultProfile: 'here' })
    warnings = []
    vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)))
  })
  afterEach(async () => {
    await close()
    vi.restoreAllMocks()
    delete process.env['FARCALL_STORE']
    execFileSync('umount', ['-l', disk])
    removeFolder(folder)
  })
  const fill = () =>
    execFileSync('sh', ['-c', `head -c 9000000 /dev/zero >"${disk}/ballast" || :`], { stdio: 'ignore' })
  const empty = () => rmSync(join(disk, 'ballast'))
  const refusal = {
    name: 'FarcallError',
    code: 'STORE_UNWRITABLE',
    message: /disk.* is full/,
    hint: /FARCALL_STORE/,
  } as const

  const until = cluster(async (gate: string, value: unknown) => {
    const { existsSync } = await import('node:fs')
    while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 20))
    return value
  })

  it('refuses the next call before anything is submitted; with room it goes through', async () => {
    expect(await until('/', 1)).toBe(1)
    await close()
    fill()
    await failure(until('/', 'x'.repeat(50_000)), refusal)
    await failure(until.with({ cache: true })('/', 'x'.repeat(50_000)), refusal)
    expect(readdirSync(join(folder, 'work/jobs')).filter((name) => name.startsWith('f'))).toEqual([])
    empty()
    expect(await until('/', 3)).toBe(3)
  })

  it('keeps no job that runs from its result, says so once, and writes it down when there is room', async () => {
    const gate = join(folder, 'gate')
    const running = [1, 2].map((n) => until.with({ name: `n${n}` })(gate, n))
    for (const job of running) for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    await expect
      .poll(async () => (await jobs()).map(({ status }) => status.state), { timeout: 20_000 })
      .toEqual(['ACTIVE', 'ACTIVE'])
    fill()
    writeFileSync(gate, '')
    expect(await Promise.all(running)).toEqual([1, 2])
    await expect.poll(() => warnings.length, { timeout: 30_000 }).toBeGreaterThan(0)
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(warnings).toEqual([expect.stringMatching(/not recorded yet, and is tried again.*disk.* is full/)])
    empty()
    await expect
      .poll(async () => (await jobs()).map(({ status, done }) => [status.state, done]), { timeout: 30_000 })
      .toEqual([
        ['COMPLETED', 1],
        ['COMPLETED', 1],
      ])
  })

  it('lets a job be attached to, with its result', async () => {
    const gate = join(folder, 'gate')
    const job = until(gate, 7)
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    await job.detach()
    await close()
    fill()
    writeFileSync(gate, '')
    expect(await attach(job.id)).toBe(7)
    expect(existsSync(join(folder, 'work/jobs', job.id))).toBe(true)
    await close()
    expect(existsSync(join(folder, 'work/jobs', job.id))).toBe(false)
    empty()
  })
})
