import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FarcallError, TransportError } from '../../src/core/errors.ts'
import type { JobSpec } from '../../src/core/protocol.ts'
import { wrapTransports } from '../../src/executor/open.ts'
import { attach, close, cluster, configure, type Profile, SubmitError } from '../../src/index.ts'
import { injectFaults } from '../../src/testing/observed-transport.ts'
import { removeFolder } from '../remove-folder.ts'
import { runProgram } from './helpers.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-retries-'))
const env = {
  FARCALL_SCHEDULER: 'direct',
  FARCALL_WORKDIR: `${folder}/scratch`,
  FARCALL_QUERY_INTERVAL: '1s',
  FARCALL_KEEP: 'all',
  FARCALL_STORE: `${folder}/store`,
}
const linesOf = (file: string) => readFileSync(file, 'utf8').trim().split('\n')
const specsOf = (id: string): JobSpec[] =>
  readdirSync(`${folder}/scratch/jobs/${id}`)
    .filter((name) => /^spec\.\d+\.json$/.test(name))
    .map((name) => JSON.parse(readFileSync(`${folder}/scratch/jobs/${id}/${name}`, 'utf8')))

beforeAll(() => Object.assign(process.env, env))
afterEach(async () => {
  await close()
  wrapTransports((transport) => transport)
})
afterAll(() => {
  for (const name of Object.keys(env)) delete process.env[name]
  removeFolder(folder)
})

describe('a job that is tried again', () => {
  it('goes on by its stored policy when its client was killed while it waited', async () => {
    const file = join(folder, 'killed')
    const program = runProgram('retry.ts', ['call', file], env)
    const id = await program.line()
    program.signal('SIGKILL')
    expect((await program.ended).signal).toBe('SIGKILL')
    expect(linesOf(file)).toHaveLength(1)
    const job = attach<number>(id!)
    expect(await job).toBe(49)
    expect(linesOf(file)).toHaveLength(2)
    expect(job.attempts.map(({ status }) => status.reason)).toEqual(['exit-code', undefined])
    expect(specsOf(id!)).toMatchObject([{ attempt: 1001, retried: 1, retry: { retries: 1, baseMs: 8000 } }])
  })

  it('is delivered whole to two processes that follow it, whichever of them makes the next attempts', async () => {
    const file = join(folder, 'two')
    const program = runProgram('retry.ts', ['map', file], env)
    const id = (await program.line())!
    const value = await attach(id)
    const squares = [0, 1, 4, 9, 16, 25, 36, 49]
    expect(value).toEqual(squares)
    const line = await program.line()
    expect(program.stderr()).toBe('')
    expect(JSON.parse(line!)).toEqual(squares)
    expect((await program.ended).code).toBe(0)
    // Every member had its second try, and each attempt is as its script ran it.
    const again = specsOf(id).flatMap(({ only }) => only!)
    expect(new Set(again)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]))
    for (const { attempt, only } of specsOf(id))
      for (const member of only!)
        expect(readdirSync(`${folder}/scratch/jobs/${id}`)).toContain(`run.${attempt}.${member}`)
  })
})

describe('retry in a profile', () => {
  const place: Profile = {
    scheduler: 'direct',
    workdir: `${folder}/scratch`,
    queryInterval: '1s',
    keep: 'all',
  }

  it('is for all its calls, and a call says otherwise', async () => {
    const retry = { retries: 2, on: ['exit-code'], base: '100ms', backoff: 'fixed' } as const
    configure({ profiles: { patient: { ...place, retry } } })
    const fails = cluster({ profile: 'patient' }, () => process.exit(3))
    const job = fails()
    await expect(job).rejects.toMatchObject({ status: { exitCode: 3 } })
    expect(job.attempts).toHaveLength(3)
    const once = fails.with({ retry: 0 })()
    await expect(once).rejects.toMatchObject({ status: { exitCode: 3 } })
    expect(once.attempts).toHaveLength(1)
  })
})

describe('a submission that is refused', () => {
  const place: Profile = { scheduler: 'direct', workdir: `${folder}/refused`, keep: 'all' }
  const busy = () =>
    new TransportError('COMMAND_TIMEOUT', 'sbatch: no answer within 120 s', { transient: true })

  it('is made again where that may pass, the first one too', async () => {
    configure({ profiles: { one: { ...place, retry: { retries: 2, base: '100ms' } } } })
    let refused = 0
    injectFaults({
      // The first operation looks at the place, the next two submit.
      before: (number) => {
        if (number === 2 || number === 3) {
          refused++
          throw busy()
        }
      },
    })
    expect(await cluster({ profile: 'one' }, () => 'taken')()).toBe('taken')
    expect(refused).toBe(2)
  })

  it('is the end where the tries are used up, or none were granted', async () => {
    configure({
      profiles: { two: { ...place, retry: { retries: 1, base: '100ms' } }, three: { ...place, grace: '3s' } },
    })
    let refused = 0
    injectFaults({
      before: (number) => {
        if (number === 1) return
        refused++
        throw busy()
      },
    })
    await expect(cluster({ profile: 'two' }, () => 1)()).rejects.toThrow('no answer')
    expect(refused).toBe(2)
    await expect(cluster({ profile: 'three' }, () => 1)()).rejects.toThrow('no answer')
    expect(refused).toBe(3)
  })

  it('of a try with more names the refusal, and has the failure before as its cause', async () => {
    const retry = { retries: 2, escalate: { memory: 1000 }, base: '100ms', on: ['exit-code'] } as const
    configure({ profiles: { four: { ...place, retry } } })
    const limit = new SubmitError(
      'SUBMIT_REFUSED',
      'sbatch: error: Memory specification can not be satisfied',
      {
        hint: 'ask for less',
      },
    )
    wrapTransports((transport) => {
      const exec = transport.exec.bind(transport)
      transport.exec = async (command, options) => {
        if (command.argv.includes('1001')) throw limit
        return exec(command, options)
      }
      return transport
    })
    const job = cluster({ profile: 'four', memory: '64MB' }, () => {
      const all: string[][] = []
      for (let i = 0; i < 200; i++) all.push(Array.from({ length: 20_000 }, (_, n) => `${i} ${n}`))
      return all.length
    })()
    const error = await job.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SubmitError)
    expect(error).toMatchObject({
      code: 'SUBMIT_REFUSED',
      message: expect.stringMatching(
        /its next attempt was refused: .*Memory specification[\s\S]*ask for less/,
      ),
      cause: { status: { reason: 'out-of-memory' } },
    })
    expect((error as SubmitError).cause).toBeInstanceOf(FarcallError)
  })
})

it('a retry that makes no sense is refused where the profile has it', async () => {
  configure({ profiles: { wrong: { retry: { retries: 2, base: 'soon' } } } })
  await expect(cluster({ profile: 'wrong' }, () => 1)()).rejects.toThrow(/profiles\.wrong\.retry\.base/)
})
