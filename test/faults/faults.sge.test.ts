import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { type SgeWithLogin, startSgeCluster } from '../clusters/cluster.ts'
import { until } from '../clusters/processes.ts'

let lab: SgeWithLogin
beforeAll(async () => {
  lab = await startSgeCluster()
  const { host, port, user, identityFile, knownHosts } = lab.sshd
  const place = { scheduler: 'sge', host, port, user, identityFile, knownHosts }
  configure({ profiles: { lab: { ...place, queryInterval: '2s', grace: '6s' } } })
})
afterEach(() => close())
afterAll(() => lab.stop())

it('a master that is stopped and started: results of what runs come, and a call of that time is submitted once it is back', async () => {
  const sleep = cluster({ profile: 'lab' }, async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms))
    return ms
  })
  const jobs = [2_000, 30_000].map((ms) => sleep.with({ name: `n${ms}` })(ms))
  for (const job of jobs) for await (const { state } of job.updates()) if (state === 'ACTIVE') break
  await lab.sge.stopMaster()
  expect(await jobs[0]).toBe(2_000)
  const late = sleep(500)
  await until(() => late.status().message?.includes('submitted once it does') === true, 60_000)
  await lab.sge.startMaster()
  expect(await Promise.all([...jobs, late])).toEqual([2_000, 30_000, 500])
  const nativeIds = [...jobs, late].map(({ nativeId }) => Number(nativeId))
  expect(nativeIds.sort((a, b) => a - b)).toEqual([1, 2, 3])
})
