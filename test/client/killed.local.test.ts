import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { attach, close } from '../../src/index.ts'
import { openStore } from '../../src/store/open.ts'
import { runProgram } from './helpers.ts'
import { killedAtEachStep } from './killed.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-killed-'))
const env = {
  FARCALL_SCHEDULER: 'direct',
  FARCALL_WORKDIR: `${folder}/work`,
  FARCALL_QUERY_INTERVAL: '1s',
  FARCALL_STORE: `${folder}/store`,
}

beforeAll(() => Object.assign(process.env, env))
afterAll(async () => {
  await close()
  for (const name of Object.keys(env)) delete process.env[name]
  rmSync(folder, { recursive: true, force: true })
})

describe('a program that is killed', () => {
  killedAtEachStep({
    env,
    file: (name) => join(folder, name),
    steps: { before: [1, 2, 3], later: [1, 2, 3] },
    opening: 1,
  })
})

describe('a program that is killed at a retry', () => {
  for (const [when, state] of [
    ['while it waits for the next attempt', 'QUEUED'],
    ['once the next attempt is made', 'ACTIVE'],
  ])
    it(`${when}: attach goes on with that attempt, and the record has it`, { timeout: 60_000 }, async () => {
      const path = join(folder, `retry-${state}`)
      const program = runProgram('killed-retry.ts', [path, state!], env)
      const id = (await program.line())!
      expect(await program.ended, program.stderr()).toMatchObject({ signal: 'SIGKILL' })
      const store = openStore({ folder: env.FARCALL_STORE, warn: (message) => expect.fail(message) })
      const recorded = () => store.attempts(id).map(({ attempt }) => attempt)
      if (state === 'ACTIVE') expect(recorded()).toEqual([1, 1001])
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
    })
})
