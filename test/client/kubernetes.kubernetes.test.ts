import { createHash } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { attach, close, cluster, configure, currentTask, JobCanceledError } from '../../src/index.ts'
import { administrator } from '../clusters/kubernetes/administrator.ts'
import { makeNamespace } from '../clusters/kubernetes/namespace.ts'
import { lineOf } from '../line-of.ts'
import { removeFolder } from '../remove-folder.ts'
import { startProgram } from './helpers.ts'

const server = inject('kubernetes')
const namespace = await makeNamespace(server)
const ask = administrator(server)
const folder = mkdtempSync(join(tmpdir(), 'farcall-client-kubernetes-'))
const { kubeconfig } = namespace
const settings = { image: server.image, kubeconfig, imagePullPolicy: 'Never', gracePeriod: '1s' } as const
const config = {
  profiles: { lab: { scheduler: 'kubernetes', kubernetes: settings, resources: { memory: '200MB' } } },
  defaultProfile: 'lab',
}

beforeAll(() => configure(config))
afterAll(async () => {
  await close()
  removeFolder(folder)
})

describe('a program whose profile is of Kubernetes', () => {
  it('calls, maps, and is thrown what the function threw, with its line', async () => {
    const factor = 3
    const triple = cluster((n: number) => n * factor)
    const bad = cluster((n: number) => {
      throw new RangeError(`bad ${n}`)
    })
    const failing = bad(7).catch((error: unknown) => error)
    expect(await Promise.all([triple(4), triple.map([1, 2, 3])])).toEqual([12, [3, 6, 9]])
    const error = (await failing) as Error
    expect(error).toBeInstanceOf(RangeError)
    expect(error.message).toBe('bad 7')
    expect(error.stack).toContain(
      `kubernetes.kubernetes.test.ts:${lineOf(import.meta.url, 'throw new RangeError(`bad')}:`,
    )
  })

  it('runs in the image that a call names, and says what else of a container a pod has not', async () => {
    const { image, ...others } = settings
    configure({
      ...config,
      profiles: { ...config.profiles, bare: { scheduler: 'kubernetes', kubernetes: others } },
    })
    const six = cluster({ profile: 'bare', memory: '200MB', container: image }, () => 6)
    expect(await six()).toBe(6)
    await expect(six.with({ container: { image, mounts: ['/data'] } })()).rejects.toMatchObject({
      code: 'OPTION_INVALID',
      message: expect.stringContaining('container.mounts: a pod is set up by the profile'),
    })
    await expect(six.with({ container: false })()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    configure(config)
  })

  it('sends 30 MB and gets them back', async () => {
    const bytes = new Uint8Array(30_000_000)
    for (let at = 0; at < bytes.length; at += 1000) bytes[at] = at % 251
    const same = cluster((given: Uint8Array) => given)
    const sha256 = (of: Uint8Array) => createHash('sha256').update(of).digest('hex')
    expect(sha256(await same(bytes))).toBe(sha256(bytes))
  })

  it('cancels, follows a log, and tells what was used and granted', async () => {
    const forever = cluster(() => new Promise<void>(() => setInterval(() => {}, 1000)))()
    for await (const { state } of forever.updates()) if (state === 'ACTIVE') break
    await forever.cancel()
    await expect(forever).rejects.toBeInstanceOf(JobCanceledError)

    // Calls that travelled together, in one Job.
    const waits = cluster((ms: number) => new Promise<number>((resolve) => setTimeout(resolve, ms, ms)))
    const [long, short] = [waits(1_000_000), waits(3_000)]
    for await (const { state } of long.updates()) if (state === 'ACTIVE') break
    await long.cancel()
    await expect(long).rejects.toBeInstanceOf(JobCanceledError)
    expect(short.id.slice(0, 14)).toBe(long.id.slice(0, 14))
    expect(await short).toBe(3_000)

    const far = cluster(async () => {
      currentTask().progress(1, 4, 'a quarter')
      await new Promise((resolve) => setTimeout(resolve, 600_000))
    })()
    for await (const { progress } of far.updates()) if (progress) break
    expect(far.progress).toMatchObject({ fraction: 0.25, message: 'a quarter' })
    await far.cancel()
    await expect(far).rejects.toBeInstanceOf(JobCanceledError)

    const speaks = cluster(() => {
      console.log('one')
      console.log('two')
      return currentTask().memory
    })()
    const lines: string[] = []
    for await (const line of speaks.logs({ follow: true })) lines.push(line)
    expect(lines).toEqual(['one', 'two'])
    expect(await speaks).toBe(200 * 2 ** 20)
    expect((await speaks.usage()).memory.used).toBeGreaterThan(10_000_000)
  })

  it('retries what was lost with its pod', async () => {
    const name = 'retried'
    const waits = cluster({ retry: 1 }, async () => {
      const { attempt } = currentTask()
      while (attempt === 1) await new Promise((resolve) => setTimeout(resolve, 100))
      return attempt
    }).with({ name })
    const job = waits()
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    const pods = await ask(
      'GET',
      `/api/v1/namespaces/${namespace.name}/pods?labelSelector=farcall%2Fjob%3D${job.id}`,
    )
    await ask('DELETE', `/api/v1/namespaces/${namespace.name}/pods/${pods.items[0].metadata.name}`)
    expect(await job).toBe(2)
    expect(job.attempts.map(({ status }) => status.reason)).toEqual(['preempted', undefined])
  })

  it('reads what a generator yields while it runs, and cancels it by leaving the loop', async () => {
    const counts = cluster(async function* (to: number) {
      const large = new Uint8Array(100_000)
      for (let n = 0; n < to; n++) {
        await new Promise((resolve) => setTimeout(resolve, 5))
        yield { n, large: n % 50 === 0 ? large : undefined }
      }
      return 'all'
    })
    const whole = counts.with({ window: { items: 60 } })(300)
    const read: number[] = []
    let early = false
    for await (const { n, large } of whole) {
      read.push(n)
      early ||= whole.status().state === 'ACTIVE'
      expect(large?.length).toBe(n % 50 === 0 ? 100_000 : undefined)
    }
    expect(early).toBe(true)
    expect(read).toEqual(Array.from({ length: 300 }, (_, n) => n))
    expect(await whole.result).toBe('all')

    const endless = counts(1_000_000)
    for await (const { n } of endless) if (n === 100) break
    await expect(endless.result).rejects.toBeInstanceOf(JobCanceledError)
    expect(endless.status()).toMatchObject({ state: 'CANCELED', reason: 'by-user' })
  })

  it('is killed, and another one takes up its job', async () => {
    const file = join(folder, 'farcall.config.json')
    writeFileSync(file, JSON.stringify(config))
    const program = await startProgram('long.ts', ['6000'], { FARCALL_CONFIG: file })
    const beside = cluster(() => 1)()
    const job = attach(program.firstLine)
    for await (const { state } of job.updates()) if (state === 'ACTIVE') break
    program.kill()
    expect(await Promise.all([job, beside])).toEqual([{ waited: 6000 }, 1])
    await close()
    const { items } = await ask(
      'GET',
      `/apis/batch/v1/namespaces/${namespace.name}/jobs?labelSelector=farcall%2Fjob%3D${program.firstLine}`,
    )
    expect(items).toEqual([])
  })
})
