import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { decode } from '../../src/codec/codec.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { JobSpec } from '../../src/core/protocol.ts'
import { openExecutor } from '../../src/executor/open.ts'
import { EventLog } from '../../src/testing/event-log.ts'
import { payload } from '../../src/testing/payload.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-two-'))
const workdir = join(folder, 'work')
afterAll(() => removeFolder(folder))

const open = () => openExecutor({ scheduler: 'direct', workdir, queryInterval: '1s' }, systemClock)

it('makes one attempt of a number, and tells the other client what the first one asked for', async () => {
  const may = join(folder, 'may')
  const job = payload(
    `async (n) => { if (!(await import('node:fs')).existsSync(values)) process.exit(3); return n }`,
    {
      args: [[0], [1], [2]],
      values: may,
    },
  )
  const { id } = job.spec
  const clients = [open(), open()]
  const logs = clients.map((client) => new EventLog(client))
  await clients[0]!.submit(job)
  await clients[1]!.find([id])
  await Promise.all(logs.map((log) => log.until(() => log.ends(id).length === 3)))
  writeFileSync(may, '')

  const next = (client: string, only: number[], attempt = 1001): JobSpec => ({
    ...job.spec,
    attempt,
    retried: 1,
    client,
    only,
  })
  const asked = [next('cconformance', [0, 1]), next('canother', [1, 2])]
  const made = await Promise.all(clients.map((client, k) => client.retry(asked[k]!, { bundle: job.bundle })))
  expect(made[0]).toEqual(made[1])
  const written = JSON.parse(readFileSync(`${workdir}/jobs/${id}/spec.1001.json`, 'utf8'))
  expect(written).toEqual(made[0]!.spec)
  const winner = written.client === 'cconformance' ? 0 : 1
  expect(written.only).toEqual(asked[winner]!.only)
  const left = winner === 0 ? 2 : 0
  const loser = clients[1 - winner]!
  const { spec } = await loser.retry(next(asked[1 - winner]!.client, [left], 2001), { bundle: job.bundle })
  expect(spec.only).toEqual([left])

  const log = logs[1 - winner]!
  await log.until(() => log.ends(id).length === 6)
  const last = log.ends(id).slice(3)
  expect(last.map((end) => end.type === 'end' && [end.member, end.status.state]).sort()).toEqual([
    [0, 'COMPLETED'],
    [1, 'COMPLETED'],
    [2, 'COMPLETED'],
  ])
  const values = []
  for await (const record of loser.fetch(id, [0, 1, 2])) values.push(decode(record.bytes))
  expect(values.sort()).toEqual([0, 1, 2])
  const runs = readdirSync(`${workdir}/jobs/${id}`).filter((name) => /^run\.[12]001/.test(name))
  expect(runs.sort()).toEqual([`run.1001.${winner}`, `run.1001.${winner + 1}`, `run.2001.${left}`])
  // What lies there is listed by its last attempts, and the last of those to be submitted.
  const { jobs } = await loser.list!()
  expect(jobs.find((one) => one.spec.id === id)).toMatchObject({
    spec: { attempt: 1 },
    status: { state: 'COMPLETED' },
    nativeId: readFileSync(`${workdir}/jobs/${id}/submit.2001/out`, 'utf8').trim(),
  })
  for (const client of clients) await client[Symbol.asyncDispose]()
})

it('follows the attempt that another client made, also when that is over', async () => {
  const may = join(folder, 'may-too')
  const job = payload(
    `async (n) => {
      const { existsSync } = await import('node:fs')
      if (!existsSync(values)) process.exit(3)
      return n
    }`,
    { args: [[0]], values: may },
  )
  const { id } = job.spec
  const [first, second] = [open(), open()]
  const log = new EventLog(first)
  await first.submit(job)
  await log.until(() => log.ends(id).length === 1)
  writeFileSync(may, '')
  await first.retry({ ...job.spec, attempt: 1001, retried: 1, only: [0] })
  await log.until(() => log.ends(id).length === 2)
  const late = new EventLog(second)
  await second.find([id])
  const { spec } = await second.retry({ ...job.spec, attempt: 1001, retried: 1, client: 'clate', only: [0] })
  expect(spec.client).toBe('cconformance')
  await late.until(() => late.ends(id).length === 1)
  expect(late.ends(id)).toMatchObject([{ status: { state: 'COMPLETED' } }])
  for (const client of [first, second]) await client[Symbol.asyncDispose]()
})
