import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { type Administered, type Ask, administrator } from './administrator.ts'

/** A namespace, and somebody who may do in it what docs/clusters/kubernetes.md says, and nothing else. */
export interface Namespace {
  readonly name: string
  /** By a token of that account. */
  readonly kubeconfig: string
  readonly token: string
  /** A PersistentVolumeClaim that all pods may mount, and where it lies on this machine. */
  readonly claim: string
  readonly shared: string
}

const page = fileURLToPath(new URL('../../../docs/clusters/kubernetes.md', import.meta.url))

interface Role {
  readonly rules: readonly {
    readonly apiGroups: readonly string[]
    readonly resources: readonly string[]
    readonly verbs: readonly string[]
  }[]
}

/** The Role of the documentation, as it stands there. */
export const documentedRole = (): Role => documented('Role')
/** That of who may also see what the cluster has. */
export const documentedClusterRole = (): Role => documented('ClusterRole')

function documented(kind: 'Role' | 'ClusterRole'): Role {
  const text = readFileSync(page, 'utf8')
  const blocks = [...text.matchAll(/```yaml\n(apiVersion: rbac[\s\S]*?)```/g)].map(([, yaml]) => yaml!)
  const yaml = blocks.find((one) => one.includes(`kind: ${kind}\n`))
  if (yaml === undefined) throw new Error(`${page} has no ${kind}`)
  return parseAllDocuments(yaml)[0]!.toJS() as Role
}

/** Rights are in force a moment after they were given: the server hears of them as any other client does. */
export async function untilGiven(ask: Ask, user: string, namespace: string, { rules }: Role): Promise<void> {
  const [{ apiGroups, resources, verbs }] = rules as [Role['rules'][number]]
  const [kind, subresource] = resources[0]!.split('/')
  const resource = { group: apiGroups[0]!, resource: kind, subresource, verb: verbs[0]! }
  const spec = { user, resourceAttributes: { namespace, ...resource } }
  const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews'
  for (const end = Date.now() + 60_000; ; await sleep(50)) {
    const { status } = await ask('POST', path, { spec })
    if (status.allowed) return
    if (Date.now() > end) throw new Error(`${user} may not ${verbs[0]} ${resources[0]} after a minute`)
  }
}

export async function makeNamespace(
  cluster: Administered,
  role: object = documentedRole(),
): Promise<Namespace> {
  const ask = administrator(cluster)
  const name = `farcall-${randomBytes(3).toString('hex')}`
  const account = 'visitor'
  const at = (kind: string) => `/api/v1/namespaces/${name}/${kind}`
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${name}`
  await ask('POST', '/api/v1/namespaces', { metadata: { name } })
  await ask('POST', at('serviceaccounts'), { metadata: { name: account } })
  await ask('POST', `${rbac}/roles`, role)
  await ask('POST', `${rbac}/rolebindings`, {
    metadata: { name: 'farcall' },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace: name }],
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'farcall' },
  })
  await untilGiven(ask, `system:serviceaccount:${name}:${account}`, name, role as Role)
  const asked = { spec: { expirationSeconds: 7200 } }
  const given = await ask('POST', at(`serviceaccounts/${account}/token`), asked)
  const { token } = given.status
  const shared = join(cluster.folder, 'shared', name)
  mkdirSync(shared, { mode: 0o777 })
  const size = { storage: '1Gi' }
  const volume = {
    capacity: size,
    accessModes: ['ReadWriteMany'],
    storageClassName: '',
    hostPath: { path: shared },
  }
  await ask('POST', '/api/v1/persistentvolumes', { metadata: { name }, spec: volume })
  await ask('POST', at('persistentvolumeclaims'), {
    metadata: { name: 'data' },
    spec: {
      accessModes: ['ReadWriteMany'],
      storageClassName: '',
      volumeName: name,
      resources: { requests: size },
    },
  })
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'lab',
        cluster: { server: cluster.server, 'certificate-authority': join(cluster.folder, 'pki/ca.crt') },
      },
    ],
    users: [{ name: 'visitor', user: { token } }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'visitor', namespace: name } }],
    'current-context': 'lab',
  }
  const kubeconfig = join(cluster.folder, 'etc', `${name}.kubeconfig`)
  writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 })
  return { name, kubeconfig, token, claim: 'data', shared }
}
