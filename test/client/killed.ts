import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { attach, close, FarcallError } from '../../src/index.ts'
import { openStore } from '../../src/store/open.ts'
import { runProgram } from './helpers.ts'

export interface KilledAt {
  /** What tells the program, and this process, where jobs run and are recorded. */
  readonly env: Record<string, string>
  /** A file for the function to write to, seen from the nodes too. */
  file(name: string): string
  /** The operations at which it is killed, by their numbers from 1; those that it does not come to are left out. */
  readonly steps: Partial<Record<'before' | 'during' | 'later', readonly number[]>>
  /** Operations before the job is known well enough to be recorded. */
  readonly opening: number
  /** Jobs that the scheduler was given for these ids together, where it can be asked. */
  natives?(...ids: string[]): number
}

/** Kills a program at each of its operations in turn; each time its job is found again, and was run once. */
export function killedAtEachStep({ env, file, steps, opening, natives }: KilledAt): void {
  const start = (path: string, args: readonly string[] = []) => runProgram('killed.ts', [path, ...args], env)
  const runs = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').length : 0)

  /** Whether it was killed: it has fewer operations than that, perhaps. */
  async function kill(path: string, step: number, moment: string) {
    const program = start(path, [String(step), moment])
    const lines: string[] = []
    for (let line = await program.line(); line !== undefined; line = await program.line()) lines.push(line)
    const { signal, code } = await program.ended
    if (signal !== 'SIGKILL') expect({ code, stderr: program.stderr() }).toMatchObject({ code: 0 })
    return { id: lines[0]!, result: lines[1], killed: signal === 'SIGKILL' }
  }

  for (const [moment, numbers] of Object.entries(steps)) {
    it(`${moment} each operation: attach gives its result`, { timeout: 300_000 }, async () => {
      for (const step of numbers) {
        const path = file(`attach-${moment}-${step}`)
        const { id, result, killed } = await kill(path, step, moment)
        const value = await attach(id).catch((error: unknown) => error)
        await close()
        const where = `step ${step}, ${moment}, job ${id}`
        if (value instanceof FarcallError) {
          // It was not recorded yet and nothing was sent, or its result was delivered and its files are gone.
          expect(value.code, where).toBe('JOB_UNKNOWN')
          if (result === undefined) expect(step, where).toBeLessThanOrEqual(opening)
          expect(runs(path), where).toBe(result === undefined ? 0 : 1)
        } else {
          expect(value, where).toEqual({ answer: 42 })
          expect(runs(path), where).toBe(1)
          expect(natives?.(id) ?? 1, where).toBe(1)
        }
        if (!killed) break
      }
    })

    it(`${moment} each operation: the same program gives its result`, { timeout: 300_000 }, async () => {
      for (const step of numbers) {
        const path = file(`again-${moment}-${step}`)
        const { id, killed } = await kill(path, step, moment)
        const again = start(path)
        const nextId = (await again.line())!
        const where = `step ${step}, ${moment}, job ${id}`
        expect({ value: await again.line(), stderr: again.stderr() }, where).toEqual({
          value: JSON.stringify({ answer: 42 }),
          stderr: '',
        })
        expect(await again.ended, where).toMatchObject({ code: 0 })
        expect(runs(path), where).toBe(1)
        expect(natives?.(id, nextId) ?? 1, where).toBe(1)
        if (!killed) break
      }
    })
  }
}

/** Kills a program around the submission of a failed call's next attempt; there is one such attempt, and its result. */
export function killedAtRetry({ env, file, natives }: Pick<KilledAt, 'env' | 'file' | 'natives'>): void {
  for (const [when, end] of [
    ['while it waits for the next attempt', 'QUEUED'],
    ['before the next attempt is sent', 'before'],
    ['while the next attempt is sent', 'during'],
    ['just after the next attempt was sent', 'later'],
    ['once the next attempt is made', 'ACTIVE'],
  ] as const)
    it(`${when}: attach goes on with that attempt, and the record has it`, { timeout: 120_000 }, async () => {
      const path = file(`retry-${end}`)
      const program = runProgram('killed-retry.ts', [path, end], env)
      const id = (await program.line())!
      expect(await program.ended, program.stderr()).toMatchObject({ signal: 'SIGKILL' })
      const store = openStore({ folder: env['FARCALL_STORE']!, warn: (message) => expect.fail(message) })
      const recorded = () => store.attempts(id).map(({ attempt }) => attempt)
      expect(recorded()).toEqual(end === 'QUEUED' ? [1] : [1, 1001])
      const job = attach(id)
      expect(await job).toBe('came through')
      expect(job.attempts.map(({ attempt, status }) => [attempt, status.state])).toEqual([
        [1, 'FAILED'],
        [2, 'COMPLETED'],
      ])
      await close()
      expect(readFileSync(path, 'utf8')).toBe('run\nrun\n')
      expect(recorded()).toEqual([1, 1001])
      expect(store.get(id)).toMatchObject({ attempt: 1001, status: { state: 'COMPLETED' } })
      expect(store.get(id)!.nativeId).toBe(job.attempts[1]!.nativeId)
      store.close()
      expect(natives?.(id) ?? 2).toBe(2)
    })
}
