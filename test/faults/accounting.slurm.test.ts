import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { close, cluster, configure } from '../../src/index.ts'
import { onLogin } from '../client/left.ts'
import { type SlurmWithLogin, startCluster } from '../clusters/cluster.ts'

let lab: SlurmWithLogin
beforeAll(async () => {
  // The controller forgets a job two seconds after its end; then only accounting knows it.
  lab = await startCluster({ accounting: true, nodes: 1, settings: { MinJobAge: '2' } })
  const { host, port, user, identityFile, knownHosts } = lab.sshd
  const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts }
  configure({ profiles: { lab: { ...place, queryInterval: '1s', grace: '3s', keep: 'all' } } })
})
afterEach(() => close())
afterAll(() => lab.stop())

const sh = (command: string) => onLogin(lab.sshd, command).trim()

const sleeps = cluster({ profile: 'lab' }, async (ms: number) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return ms
})

it('accounting that goes away while jobs run, and comes back: nothing is lost, and an end is told as it was', async () => {
  const [short, vanishes] = ['short', 'vanishes'].map((name) => sleeps.with({ name }))
  const vanished = vanishes!(600_000)
  let told: unknown
  vanished.catch((error: unknown) => {
    told = error
  })
  for await (const { state } of vanished.updates()) if (state === 'ACTIVE') break
  await expect.poll(() => sh(`ls .farcall/jobs/${vanished.id}`), { timeout: 20_000 }).toContain('run.')

  await lab.slurm.stopAccounting()
  try {
    expect(await short!(500)).toBe(500)
    // Without its folder its script says nothing any more.
    const { id, nativeId } = vanished
    sh(`mv .farcall/jobs/${id} gone; scancel --full --signal=KILL ${nativeId}; rm -rf gone`)
    const known = () => sh(`scontrol show job ${nativeId} 2>/dev/null || true`)
    await expect.poll(known, { timeout: 30_000, interval: 500 }).toBe('')
    // Longer than the grace: with no answer from anybody it is not known to be lost.
    await new Promise((resolve) => setTimeout(resolve, 8_000))
    expect(told).toBeUndefined()
  } finally {
    await lab.slurm.startAccounting()
  }
  await expect(vanished).rejects.toMatchObject({ name: 'JobCanceledError', status: { reason: 'by-user' } })
})
