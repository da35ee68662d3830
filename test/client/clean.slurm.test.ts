import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { attach, clean, close, cluster, configure } from '../../src/index.ts'
import { onLogin } from './left.ts'

const { sshd } = inject('slurms').accounting
const { host, port, user, identityFile, knownHosts } = sshd
const place = { scheduler: 'slurm', host, port, user, identityFile, knownHosts, queryInterval: '2s' }

beforeAll(() =>
  configure({ profiles: { there: { ...place, workdir: '~/uncollected' } }, defaultProfile: 'there' }),
)
afterAll(close)

const sh = (command: string) => onLogin(sshd, `cd uncollected && ${command}`).trim()

it('of jobs that nobody has collected those go that Slurm has no longer, a damaged one too', {
  timeout: 120_000,
}, async () => {
  const work = cluster({ memory: '20MB' }, (n: number) => n)
  const [done, damaged, waits] = [work(1), work.with({ name: 'b' })(2), work.with({ native: ['--hold'] })(3)]
  for (const job of [done, damaged, waits]) {
    await expect.poll(() => job.nativeId, { timeout: 30_000 }).toBeDefined()
    await job.detach()
  }
  await expect.poll(() => sh('ls jobs/*/run.1.0/end 2>/dev/null | wc -l'), { timeout: 60_000 }).toBe('2')
  await expect
    .poll(() => onLogin(sshd, 'squeue -h -o %A').trim().split('\n'), { timeout: 60_000 })
    .toEqual([waits.nativeId])
  await close()
  sh(`printf '{"id":' >jobs/${damaged.id}/spec.json; find jobs -exec touch -d '400 days ago' {} +`)
  const request = { uncollected: true, olderThan: '30d' } as const
  expect((await clean(request)).jobs.toSorted()).toEqual([done.id, damaged.id].toSorted())
  expect(sh('ls jobs')).toBe(waits.id)
  const again = attach(waits.id)
  again.catch(() => {})
  await again.cancel()
  await expect(again).rejects.toMatchObject({ name: 'JobCanceledError' })
})
