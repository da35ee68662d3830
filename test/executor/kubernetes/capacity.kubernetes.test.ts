import { afterAll, expect, inject, it } from 'vitest'
import { payload } from '../../../src/testing/payload.ts'
import { documentedClusterRole, makeNamespace, untilGiven } from '../../clusters/kubernetes/namespace.ts'
import { workshop } from './helpers.ts'

const cluster = inject('kubernetes')
const namespace = await makeNamespace(cluster)
const { open, ask, core, eventually } = workshop(cluster, namespace)
const rbac = '/apis/rbac.authorization.k8s.io/v1'
const name = `farcall-resources-${namespace.name}`
const patch = 'application/strategic-merge-patch+json'
const node = (await ask('GET', '/api/v1/nodes')).items[0].metadata.name as string
const subjects = [{ kind: 'ServiceAccount', name: 'visitor', namespace: namespace.name }]
const visitor = `system:serviceaccount:${namespace.name}:visitor`

afterAll(async () => {
  await ask('PATCH', `/api/v1/nodes/${node}`, { spec: { unschedulable: false } }, patch)
  for (const kind of ['clusterrolebindings', 'clusterroles'])
    await ask('DELETE', `${rbac}/${kind}/${name}`).catch(() => {}) // a test before it failed
})

it('tells which rights it takes, where the account has none of them', async () => {
  const { executor } = open()
  await expect(executor.resources!()).rejects.toMatchObject({
    code: 'REQUEST_FORBIDDEN',
    message: expect.stringContaining(
      'this account may not list nodes, list pods in all namespaces, list resourcequotas in the namespace',
    ),
  })
})

it('tells what the quota of the namespace allows, where that alone may be read', async () => {
  const at = `${rbac}/namespaces/${namespace.name}`
  const rules = [{ apiGroups: [''], resources: ['resourcequotas'], verbs: ['list'] }]
  await ask('POST', `${at}/roles`, { metadata: { name: 'quotas' }, rules })
  await ask('POST', `${at}/rolebindings`, {
    metadata: { name: 'quotas' },
    subjects,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'quotas' },
  })
  await untilGiven(ask, visitor, namespace.name, { rules })
  const { executor } = open()
  await expect(executor.resources!()).rejects.toThrow('the namespace has no quota')
  const hard = { 'requests.cpu': '8', 'requests.memory': '16Gi', 'requests.nvidia.com/gpu': '2' }
  await ask('POST', `${core}/resourcequotas`, { metadata: { name: 'quota' }, spec: { hard } })
  const isCounted = async () => (await ask('GET', `${core}/resourcequotas/quota`)).status?.used !== undefined
  await eventually(isCounted, 'the quota counts')
  const { partitions, notes } = await executor.resources!()
  expect(partitions).toEqual([
    {
      name: namespace.name,
      isDefault: true,
      up: true,
      cores: { total: 8, used: 0, free: 8 },
      memory: { total: 16 * 2 ** 30, used: 0, free: 16 * 2 ** 30 },
      gpus: { total: 2, used: 0, free: 2, kinds: {} },
    },
  ])
  expect(notes).toEqual([
    expect.stringMatching(
      /^nodes cannot be read: .* takes the right to list nodes and to list pods in all namespaces$/,
    ),
  ])
  await ask('DELETE', `${core}/resourcequotas/quota`)
})

/** Jobs of other files, which would give back what they have taken in the middle of a test. */
async function removeOthers(): Promise<void> {
  const of = `labelSelector=app.kubernetes.io%2Fmanaged-by%3Dfarcall`
  const others = async (path: string) => {
    const { items } = await ask('GET', `${path}?${of}`)
    return (items as { metadata: { name: string; namespace: string } }[]).filter(
      ({ metadata }) => metadata.namespace !== namespace.name,
    )
  }
  const remove = async (kind: string, options: object) => {
    const [group, name] = kind.split(' ')
    const all = await others(`${group}/${name}`)
    for (const { metadata } of all) {
      const path = `${group}/namespaces/${metadata.namespace}/${name}/${metadata.name}`
      await ask('DELETE', path, options).catch(() => {}) // it went meanwhile, or is asked for again
    }
    return all.length
  }
  await remove('/apis/batch/v1 jobs', { propagationPolicy: 'Background' })
  const none = async () => (await remove('/api/v1 pods', { gracePeriodSeconds: 0 })) === 0
  await eventually(none, 'pods of others are gone')
}

it('tells of nodes what no pod has asked for, and nothing of one that is cordoned', async () => {
  await removeOthers()
  await ask('POST', `${rbac}/clusterroles`, { ...documentedClusterRole(), metadata: { name } })
  await ask('POST', `${rbac}/clusterrolebindings`, {
    metadata: { name },
    subjects,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
  })
  const { executor, active } = open()
  const look = async () => (await executor.resources!()).partitions[0]!
  await untilGiven(ask, visitor, namespace.name, documentedClusterRole())
  const before = await look()
  expect(before).toMatchObject({ name: namespace.name, up: true, nodes: { total: 1, down: 0, drained: 0 } })
  expect(before.cores!.total).toBeGreaterThan(0)
  expect(before.gpus!.total).toBe(0)
  const waits = payload(`async () => new Promise((resolve) => setTimeout(resolve, 120_000))`)
  const job = { ...waits, spec: { ...waits.spec, resources: { cores: 0.5, memoryBytes: 256 * 2 ** 20 } } }
  await executor.submit(job)
  await active(job)
  const after = await look()
  expect(after.nodes!.allocated).toBe(1)
  // The keeper beside it asks for a little as well.
  expect(after.cores!.used - before.cores!.used).toBeCloseTo(0.51, 2)
  expect(after.memory!.used - before.memory!.used).toBeGreaterThanOrEqual(256 * 2 ** 20)
  expect(after.cores!.free).toBeCloseTo(after.cores!.total - after.cores!.used, 6)
  const { jobs } = await executor.queue!(true)
  expect(jobs).toMatchObject([
    {
      nativeId: job.spec.id,
      user: 'farcall',
      partition: namespace.name,
      status: { state: 'ACTIVE' },
      where: node,
    },
  ])
  await ask('PATCH', `/api/v1/nodes/${node}`, { spec: { unschedulable: true } }, patch)
  expect(await look()).toMatchObject({
    up: false,
    nodes: { total: 1, allocated: 0, drained: 1 },
    cores: { free: 0 },
    memory: { free: 0 },
  })
  await ask('PATCH', `/api/v1/nodes/${node}`, { spec: { unschedulable: false } }, patch)
  // Where jobs may not go is none of it.
  const elsewhere = open({ nodeSelector: { disk: 'fast' } }).executor
  expect((await elsewhere.resources!()).partitions[0]!.nodes!.total).toBe(0)
  await executor.cancel([{ id: job.spec.id }])
})
