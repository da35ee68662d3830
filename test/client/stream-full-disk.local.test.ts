import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'

// Only root may mount.
it.runIf(process.getuid?.() === 0)(
  'a stream that fills the disk: what fitted is read, and then why it ended',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'farcall-full-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m,mode=700', 'tmpfs', folder])
    try {
      const place = { scheduler: 'direct', workdir: join(folder, 'work'), queryInterval: '1s' }
      configure({ profiles: { full: { ...place, minFree: 0 } }, defaultProfile: 'full' })
      const fills = cluster(async function* (bytes: number) {
        for (let n = 0; ; n++) yield { n, data: new Uint8Array(bytes).fill(n) }
      })
      const stream = fills(500_000)
      const read: number[] = []
      const error = await (async () => {
        for await (const { n, data } of stream) {
          expect([data.length, data[0], data.at(-1)]).toEqual([500_000, n, n])
          read.push(n)
        }
      })().catch((thrown) => thrown)
      expect(read.length).toBeGreaterThan(5)
      expect(read).toEqual(read.map((_, n) => n))
      expect(error).toMatchObject({ code: 'JOB_FAILED', status: { reason: 'exit-code', exitCode: 74 } })
      expect(error.message).toMatch(/yielded could not be written: ENOSPC/)
      expect(error.hint).toMatch(/disk is full/)
    } finally {
      await close()
      execFileSync('umount', ['-l', folder])
      removeFolder(folder)
    }
  },
)
