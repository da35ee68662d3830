import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { Refresher } from '../../src/client/jobs/refresh.ts'
import { recorderOf } from '../../src/client/submission/recorder.ts'
import { attach, close, cluster, configure } from '../../src/index.ts'
import { run } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-standing-'))
const store = join(folder, 'store')
afterAll(async () => {
  await close()
  removeFolder(folder)
})

it('of jobs that nobody follows and whose processes were killed: lost, and of one that runs: active', async () => {
  configure({
    store,
    profiles: { here: { scheduler: 'direct', workdir: join(folder, 'work') } },
    defaultProfile: 'here',
  })
  const nap = cluster((ms: number) => new Promise((resolve) => setTimeout(resolve, ms, ms)))
  const jobs = [nap(600_000), nap.with({ name: 'other' })(600_000), nap.with({ name: 'short' })(1)]
  const [killed, running, done] = jobs as [(typeof jobs)[0], (typeof jobs)[0], (typeof jobs)[0]]
  for (const job of [killed, running])
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
  await Promise.all(jobs.map((job) => job.detach()))
  await close()
  const pid = killed.nativeId!.split(':')[2]!
  await run('pkill', ['-KILL', '-s', pid])
  const records = recorderOf(store).store
  const standing = async () => {
    await using refresher = new Refresher()
    await refresher.refresh(
      records,
      jobs.map(({ id }) => id),
    )
    return jobs.map(({ id }) => records.get(id)!.status)
  }
  await expect
    .poll(standing)
    .toMatchObject([
      { state: 'FAILED', reason: 'lost', message: expect.stringContaining('its process is gone') },
      { state: 'ACTIVE' },
      { state: 'COMPLETED' },
    ])
  expect(await attach(done.id)).toBe(1)
  await attach(running.id).cancel()
})
