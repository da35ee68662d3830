import { afterAll, expect, inject, it } from 'vitest'
import { clean, close, cluster, configure } from '../../src/index.ts'
import { loginProfile, onLogin } from './left.ts'

const sshd = inject('sshd')
afterAll(close)

it('a place behind ssh is cleaned, and refuses jobs when its disk is nearly full', async () => {
  const workdir = '~/clean'
  const on = (command: string) => onLogin(sshd, `cd clean && ${command}`).trim()
  configure({
    profiles: { far: loginProfile({ workdir }), full: loginProfile({ workdir, minFree: '99.99%' }) },
    defaultProfile: 'far',
  })
  const job = cluster((): number => {
    throw new RangeError('no')
  })()
  await expect(job).rejects.toThrow(RangeError)
  await close()
  expect(on('ls jobs/*/collected')).toBe(`jobs/${job.id}/collected`)
  expect(on('ls clean')).toBe('stamp')
  on('touch -d "9 days ago" jobs/*/collected && touch -d "40 days ago" blobs/*')
  const dry = await clean({ dryRun: true })
  expect(dry.jobs).toEqual([job.id])
  // The runtime and the bundle, which only that job names.
  expect(dry.blobs).toHaveLength(2)
  expect(await clean()).toEqual(dry)
  expect(on('ls -A jobs blobs inbox | grep -v -e : -e "^$" || true')).toBe('')

  const refused = cluster({ profile: 'full' }, () => 1)()
  await expect(refused).rejects.toMatchObject({ name: 'SubmitError', code: 'DISK_LOW' })
  // The channel is as good as before.
  expect(await cluster(() => 2)()).toBe(2)
})
