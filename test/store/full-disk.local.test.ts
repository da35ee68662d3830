import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { removeFolder } from '../remove-folder.ts'
import { argsOf, newJob, opened, temporaryFolder } from './helpers.ts'

// Only root may mount.
describe.runIf(process.getuid?.() === 0)('a store on a disk that is full', () => {
  let disk: string
  beforeEach(() => {
    disk = mkdtempSync(join(tmpdir(), 'farcall-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=700', 'tmpfs', disk])
  })
  afterEach(() => {
    // Lazily: libsql lets go of a file when its statements are collected as garbage, not when it is closed.
    execFileSync('umount', ['-l', disk])
    removeFolder(disk)
  })

  const refusal = expect.objectContaining({
    code: 'STORE_UNWRITABLE',
    message: expect.stringMatching(/disk.* is full/),
    hint: expect.stringContaining('FARCALL_STORE'),
  })

  test('refuses a job, keeps all that was there, and goes on once there is room', { timeout: 60_000 }, () => {
    const { store, again, warnings } = opened(join(disk, 'store'))
    const jobs: ReturnType<typeof newJob>[] = []
    const fill = () => {
      for (;;) {
        const job = newJob({}, { arg: new Uint8Array(30_000) })
        store.add(job)
        jobs.push(job)
      }
    }
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(1_000_000))
    expect(fill).toThrow(refusal)
    expect(jobs.length).toBeGreaterThan(10)
    // In a file beside, and by another process.
    expect(() => store.add(newJob({}, { arg: new Uint8Array(2_000_000) }))).toThrow(refusal)
    expect(() => again().add(newJob({}, { arg: new Uint8Array(90_000) }))).toThrow(refusal)
    for (const job of jobs) expect(argsOf(store, job.spec.id)![1]).toHaveLength(30_000)
    rmSync(join(disk, 'ballast'))
    const late = newJob()
    store.add(late)
    for (const job of jobs) store.submitted(job.spec.id, 1, '7')
    expect(again().list({ limit: 1000 })).toHaveLength(jobs.length + 1)
    expect(warnings).toEqual([])
  })

  test('that is full from the beginning is refused at its opening', () => {
    execFileSync('sh', ['-c', `head -c 4000000 /dev/zero >"${disk}/ballast" || :`], { stdio: 'ignore' })
    expect(() => opened(join(disk, 'late'))).toThrow(refusal)
    rmSync(join(disk, 'ballast'))
    opened(join(disk, 'late')).store.add(newJob())
  })

  test('that is read-only is refused, and nothing is set aside', () => {
    const { store } = opened(join(disk, 'store'))
    const job = newJob()
    store.add(job)
    const view = mkdtempSync(join(tmpdir(), 'farcall-disk-'))
    execFileSync('mount', ['--bind', disk, view])
    try {
      execFileSync('mount', ['-o', 'remount,bind,ro', view])
      const folder = join(view, 'store')
      const message = expect.stringMatching(new RegExp(`${folder}: .*read-only`))
      expect(() => opened(folder)).toThrow(expect.objectContaining({ code: 'STORE_UNWRITABLE', message }))
      expect(() => opened(join(view, 'new'))).toThrow(expect.objectContaining({ code: 'STORE_UNWRITABLE' }))
    } finally {
      execFileSync('umount', ['-l', view])
      removeFolder(view)
    }
    expect(store.get(job.spec.id)).toBeDefined()
    expect(readdirSync(join(disk, 'store'))).toEqual(['index'])
  })
})

test.skipIf(process.getuid?.() === 0)('a folder without permission is refused', () => {
  const folder = temporaryFolder()
  chmodSync(folder, 0o500)
  expect(() => opened(join(folder, 'store'))).toThrow(expect.objectContaining({ code: 'STORE_UNWRITABLE' }))
})
