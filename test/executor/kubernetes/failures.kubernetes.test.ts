import { describe, expect, inject, it } from 'vitest'
import { payload } from '../../../src/testing/payload.ts'
import { documentedRole, makeNamespace } from '../../clusters/kubernetes/namespace.ts'
import { begins, type Job, workshop } from './helpers.ts'

const cluster = inject('kubernetes')
const namespace = await makeNamespace(cluster)
const { ask, core, batch, open, lines, eventually } = workshop(cluster, namespace)

const endless = (spec: Job['spec'] | object = {}) =>
  payload('() => new Promise(() => setInterval(() => {}, 1000))', { spec })

describe.concurrent('a job of Kubernetes that fails says why', { timeout: 90_000 }, () => {
  it('is out of memory', async () => {
    const { run } = open()
    const eats = '() => { const all = []; for (;;) all.push(Buffer.alloc(10_000_000, 1)) }'
    const [end] = await run(payload(eats, { spec: { resources: { memoryBytes: 100 * 2 ** 20 } } }))
    expect(end?.status).toMatchObject({ state: 'FAILED', reason: 'out-of-memory' })
  })

  it('is over its time, kept in the pod', async () => {
    const { run } = open()
    const [end] = await run(endless({ resources: { timeSeconds: 2 } }))
    expect(end).toMatchObject({ status: { state: 'FAILED', reason: 'timeout' }, end: { reason: 'timeout' } })
  })

  it('is over the deadline of its pod', async () => {
    const { run } = open({ pod: { activeDeadlineSeconds: 4 } })
    const [end] = await run(endless())
    expect(end?.status).toMatchObject({ state: 'FAILED', reason: 'timeout', native: 'DeadlineExceeded' })
  })

  it('is evicted for what it writes', async () => {
    const limits = { 'ephemeral-storage': '1Mi' }
    const { run } = open({ pod: { containers: [{ name: 'main', resources: { limits } }] } })
    const writes = `async () => {
      const { writeFileSync } = await import('node:fs')
      writeFileSync('/tmp/large', Buffer.alloc(20_000_000))
      await new Promise(() => setInterval(() => {}, 1000))
    }`
    const [end] = await run(payload(writes))
    expect(end?.status).toMatchObject({ state: 'FAILED', reason: 'preempted', native: 'Evicted' })
    expect(end?.status.message).toMatch(/ephemeral/)
  })

  it('waits for a node, in the words of the scheduler, and no longer than it may', async () => {
    const { run, log } = open({ nodeSelector: { pool: 'none-such' }, startTimeout: '2s' })
    const job = endless()
    const [end] = await run(job)
    const waiting = {
      state: 'QUEUED',
      native: 'Unschedulable',
      message: expect.stringMatching(/0\/1 nodes are available/),
    }
    expect(log.of(job.spec.id)).toContainEqual({
      type: 'state',
      id: job.spec.id,
      status: expect.objectContaining(waiting),
    })
    expect(end?.status).toMatchObject({ state: 'FAILED', reason: 'launch-failed', native: 'Unschedulable' })
    // It holds no place any more.
    const gone = async () =>
      (await ask('GET', `${core}/pods?labelSelector=farcall%2Fjob%3D${job.spec.id}`)).items.length === 0
    await eventually(gone, 'its pod is gone')
  })

  it.each([
    ['ErrImageNeverPull', { image: 'localhost/none:1' }],
    ['InvalidImageName', { image: 'localhost/NONE:1', imagePullPolicy: 'IfNotPresent' as const }],
    [
      'ErrImagePull',
      { image: '127.0.0.1:9/none:1', imagePullPolicy: 'IfNotPresent' as const, startTimeout: '3s' },
    ],
  ])('has no image: %s', async (native, settings) => {
    const { run } = open(settings)
    const [end] = await run(endless())
    expect(end?.status).toMatchObject({ state: 'FAILED', reason: 'launch-failed' })
    expect(native === 'ErrImagePull' ? ['ErrImagePull', 'ImagePullBackOff'] : [native]).toContain(
      end?.status.native,
    )
  })

  it('cannot be configured', async () => {
    const env = [{ name: 'X', valueFrom: { secretKeyRef: { name: 'none', key: 'none' } } }]
    const { run } = open({ pod: { containers: [{ name: 'main', env }] } })
    const [end] = await run(endless())
    expect(end?.status).toMatchObject({
      state: 'FAILED',
      reason: 'launch-failed',
      native: 'CreateContainerConfigError',
    })
    expect(end?.status.message).toMatch(/secret "none" not found/)
  })

  it('cannot be started', async () => {
    const { run } = open({ pod: { containers: [{ name: 'main', command: ['/none-such'] }] } })
    const [end] = await run(endless())
    expect(end?.status).toMatchObject({ state: 'FAILED', reason: 'launch-failed', native: 'StartError' })
    expect(end?.status.message).toMatch(/none-such/)
  })

  it('has no Node in its image', async () => {
    const { run } = open()
    const [end] = await run(payload('() => 1', { spec: { environment: { variables: { PATH: '/bin' } } } }))
    expect(end?.status).toMatchObject({ state: 'FAILED', reason: 'interpreter-missing' })
    expect(end?.status.message).toMatch(/Node 16 or newer \(kubernetes.image is localhost/)
  })

  it('lost its Job to somebody', async () => {
    const { executor, ends, active } = open()
    const job = endless()
    await executor.submit(job)
    await active(job)
    await ask('DELETE', `${batch}/jobs/${job.spec.id}`, { propagationPolicy: 'Background' })
    const [end] = await ends(job)
    expect(end?.status).toMatchObject({ state: 'CANCELED', native: 'JobDeleted' })
    expect(end?.status.reason).toBeUndefined()
  })

  it('is canceled by another client', async () => {
    const [first, second] = [open(), open()]
    const job = payload(begins('canceled'))
    await first.executor.submit(job)
    await eventually(() => lines('canceled').length === 1, 'it runs')
    await second.executor.find([job.spec.id])
    await second.executor.cancel([{ id: job.spec.id }])
    for (const { ends } of [first, second])
      expect(await ends(job)).toMatchObject([{ status: { state: 'CANCELED', reason: 'by-user' } }])
  })

  it('is refused by a quota, in its words, and leaves nothing', async () => {
    const narrow = await makeNamespace(cluster)
    const own = workshop(cluster, narrow)
    await ask('POST', `/api/v1/namespaces/${narrow.name}/resourcequotas`, {
      metadata: { name: 'narrow' },
      spec: { hard: { 'limits.cpu': '1' } },
    })
    // Until it is counted what is used, all is refused as unknown.
    const isCounted = async () =>
      (await ask('GET', `${own.core}/resourcequotas/narrow`)).status?.used !== undefined
    await eventually(isCounted, 'the quota counts')
    const { executor } = own.open()
    const job = payload('() => 1', { spec: { resources: { cores: 4 } } })
    await expect(executor.submit(job)).rejects.toMatchObject({
      code: 'SUBMIT_REFUSED',
      message: expect.stringMatching(/exceeded quota: narrow/),
    })
    await eventually(
      async () => (await ask('GET', `${own.batch}/jobs`)).items.length === 0,
      'the Job is gone',
    )
  })

  it.each([
    ['create jobs', 'jobs'],
    ['create secrets', 'secrets'],
    ['create configmaps', 'configmaps'],
  ])('is refused without the right to %s', async (right, resource) => {
    const { rules, ...role } = documentedRole()
    const less = rules.flatMap((rule) => {
      const verbs = rule.verbs.filter((verb) => !(rule.resources.includes(resource) && verb === 'create'))
      return verbs.length > 0 ? [{ ...rule, verbs }] : []
    })
    const own = workshop(cluster, await makeNamespace(cluster, { ...role, rules: less }))
    const { executor } = own.open()
    await expect(executor.submit(payload('() => 1'))).rejects.toMatchObject({
      code: 'REQUEST_FORBIDDEN',
      message: expect.stringMatching(new RegExp(`visitor may not ${right}:`)),
    })
  })

  it('asks for what Kubernetes cannot express', async () => {
    const { executor } = open()
    for (const resources of [{ partition: 'long' }, { nodes: 2 }, { gpus: { count: 1, type: 'a100' } }])
      await expect(executor.submit(payload('() => 1', { spec: { resources } }))).rejects.toMatchObject({
        code: 'RESOURCE_UNSUPPORTED',
      })
  })
})
