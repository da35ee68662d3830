import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { attach, close, jobs, type RecordedJob } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { runProgram } from './helpers.ts'

export interface RecoverAt {
  /** What tells the programs where jobs run. */
  readonly env: Record<string, string>
  /** A command in the work folder. */
  on(command: string): string
}

interface Left {
  readonly id: string
  readonly nativeId: string
}

interface Seen {
  readonly jobs: readonly RecordedJob[]
  readonly restored: readonly string[]
  readonly updated: readonly string[]
  readonly gone: readonly string[]
  readonly codes: readonly string[]
}

/** A record that is damaged or removed is whole again, from what lies on the place. */
export function recoversRecord({ env: place, on }: RecoverAt): void {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-recover-'))
  chmodSync(folder, 0o777)
  const [gate, store] = [join(folder, 'gate'), join(folder, 'store')]
  const env = { ...place, FARCALL_STORE: store }
  let one: Left
  let many: Left

  async function run<T>(...args: string[]): Promise<{ value: T; stderr: string }> {
    const program = runProgram('recover.ts', args, env)
    const line = await program.line()
    expect(await program.ended, program.stderr()).toMatchObject({ code: 0 })
    return { value: JSON.parse(line!) as T, stderr: program.stderr() }
  }
  const restored = (n: number) => new RegExp(`${n} job\\(s\\) that lie on \\S+ are on the new one again`)

  beforeAll(async () => {
    Object.assign(process.env, env)
    ;[one, many] = (await run<[Left, Left]>('leave', gate)).value as [Left, Left]
  })
  afterAll(async () => {
    await close()
    for (const name of Object.keys(env)) delete process.env[name]
    removeFolder(folder)
  })

  describe('the record of jobs', () => {
    it('that is damaged is set aside, and whole again with the next call; both are said once', async () => {
      writeFileSync(join(store, 'index/store.db'), 'dear diary\n'.repeat(1000))
      const { value, stderr } = await run<Seen>('call')
      expect(stderr).toMatch(/damaged \([^)]+\) and is now \S+index\.damaged-\S+; a new one is begun/)
      expect(stderr).toMatch(restored(2))
      const found = value.jobs.filter(({ tags }) => tags.includes('thesis'))
      expect(found.map(({ id, nativeId, items }) => ({ id, nativeId, items }))).toEqual(
        expect.arrayContaining([
          { ...one, items: 1 },
          { ...many, items: 3 },
        ]),
      )
      for (const { status } of found) expect(['QUEUED', 'ACTIVE']).toContain(status.state)
      expect((await run('call')).stderr).toBe('')
    })

    it('that was restored is enough to attach by', async () => {
      writeFileSync(gate, '')
      expect(await attach(one.id)).toBe(36)
      await close()
      const [row] = await jobs({ state: 'COMPLETED', tag: 'thesis' })
      expect(row).toMatchObject({ id: one.id, nativeId: one.nativeId })
      expect(row!.endedAt).toBeDefined()
    })

    it('that was removed is made again by recover(), with what became of its jobs', async () => {
      await expect.poll(() => Number(on(`ls jobs/${many.id}/run.*/end | wc -l`)), { timeout: 40_000 }).toBe(3)
      removeFolder(store)
      on(`mkdir -p jobs/fdamagedaaaaaa && printf '{"id":' >jobs/fdamagedaaaaaa/spec.json`)
      const { value, stderr } = await run<Seen>('recover')
      expect(stderr).toBe('')
      expect(value).toMatchObject({ restored: [many.id], updated: [], gone: [], codes: ['RESULT_CORRUPT'] })
      expect(value.jobs).toMatchObject([{ id: many.id, status: { state: 'COMPLETED' }, tags: ['thesis'] }])
      expect((await run<Seen>('recover')).value).toMatchObject({ restored: [], updated: [], gone: [] })
    })

    it('that knows nothing of a job has it once it was attached to', async () => {
      removeFolder(store)
      expect(await attach(many.id)).toEqual([1, 4, 9])
      await close()
      expect(on('ls jobs').trim()).toBe('fdamagedaaaaaa')
      expect(await jobs()).toMatchObject([
        { id: many.id, nativeId: many.nativeId, status: { state: 'COMPLETED' } },
      ])
    })
  })
}
