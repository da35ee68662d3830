import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll } from 'vitest'
import { systemClock } from '../../../src/core/clock.ts'
import type { KubernetesSettings } from '../../../src/core/kubernetes-settings.ts'
import type { Profile } from '../../../src/core/profile.ts'
import type { Executor, JobEvent } from '../../../src/executor/executor.ts'
import { openExecutor } from '../../../src/executor/open.ts'
import { EventLog } from '../../../src/testing/event-log.ts'
import type { payload } from '../../../src/testing/payload.ts'
import { type Administered, administrator } from '../../clusters/kubernetes/administrator.ts'
import type { Namespace } from '../../clusters/kubernetes/namespace.ts'

export type Job = ReturnType<typeof payload>
export type End = Extract<JobEvent, { type: 'end' }>

/** What tests of one namespace do with its jobs. */
export function workshop(cluster: Administered & { readonly image: string }, namespace: Namespace) {
  const ask = administrator(cluster)
  const settings = {
    image: cluster.image,
    kubeconfig: namespace.kubeconfig,
    claim: namespace.claim,
    imagePullPolicy: 'Never',
    gracePeriod: '1s',
  } as const
  const core = `/api/v1/namespaces/${namespace.name}`
  const batch = `/apis/batch/v1/namespaces/${namespace.name}`

  const opened: { executor: Executor; log: EventLog }[] = []
  afterAll(async () => {
    for (const { executor, log } of opened) {
      log.stop()
      await executor[Symbol.asyncDispose]()
    }
  })

  /** An executor that is closed with the tests of the file. */
  function open(more: KubernetesSettings = {}, profile: Partial<Profile> = {}) {
    const kubernetes = { ...settings, ...more }
    const executor = openExecutor({ scheduler: 'kubernetes', ...profile, kubernetes }, systemClock)
    const log = new EventLog(executor)
    opened.push({ executor, log })
    const ends = async ({ spec }: Job, count = spec.members) => {
      await log.until(() => log.ends(spec.id).length >= count)
      return log.ends(spec.id) as End[]
    }
    const run = async (job: Job) => {
      await executor.submit(job)
      return ends(job)
    }
    const active = ({ spec }: Job) =>
      log.until(() => log.of(spec.id).some((event) => 'status' in event && event.status.state === 'ACTIVE'))
    return { executor, log, ends, run, active }
  }

  const podsOf = async ({ spec }: Job) => {
    const { items } = await ask('GET', `${core}/pods?labelSelector=farcall%2Fjob%3D${spec.id}`)
    return items as { metadata: { name: string; uid: string }; status: { phase: string } }[]
  }

  return {
    ask,
    core,
    batch,
    settings,
    open,
    podsOf,
    /** Lines of a file that jobs have written to the claim. */
    lines(name: string): string[] {
      const file = join(namespace.shared, name)
      // One that is there may have nothing in it yet.
      return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
    },
    /** Makes a file that jobs wait for. */
    give: (name: string) => writeFileSync(join(namespace.shared, name), ''),
    async eventually(
      condition: () => boolean | Promise<boolean>,
      what: string,
      patience = 60_000,
    ): Promise<void> {
      for (const end = Date.now() + patience; !(await condition()); await sleep(200))
        if (Date.now() > end) throw new Error(`${what}: not within ${patience} ms`)
    },
  }
}

/** A function that notes that it has begun, and never returns. */
export const begins = (file: string) => `async () => {
  const { appendFileSync } = await import('node:fs')
  appendFileSync('/data/${file}', 'begun\\n')
  await new Promise(() => setInterval(() => {}, 1000))
}`
