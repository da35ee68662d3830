import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { removeFolder } from '../remove-folder.ts'
import { daemonGroup } from './daemons.ts'
import { guard } from './guard.ts'
import { type Ask, administrator } from './kubernetes/administrator.ts'
import { makeCertificates } from './kubernetes/certificates.ts'
import {
  apiserverFlags,
  asClient,
  controllerFlags,
  type Layout,
  writeContainerdConfig,
  writeKubeconfig,
  writeKubeletConfig,
} from './kubernetes/configuration.ts'
import { jobImage, makeImage } from './kubernetes/image.ts'
import {
  type Machine,
  makeCgroups,
  otherMachine,
  rememberSettings,
  removeCgroups,
} from './kubernetes/machine.ts'
import { run, until } from './processes.ts'

/** A real Kubernetes of one node, v1.20.2, on a machine of its own. */
export interface Kubernetes {
  /** Of an administrator. */
  readonly kubeconfig: string
  readonly server: string
  /** That the node has, and no registry: busybox and the Node of the tests. */
  readonly image: string
  readonly folder: string
  /** What a server logged until now: apiserver, controller-manager, scheduler, kubelet, containerd, etcd. */
  log(server: string): string
  readonly ask: Ask
  /** Ends and starts the API server; pods run on. */
  restartServer(): Promise<void>
  stop(): Promise<void>
}

const node = 'node1'

/** The folder with the servers; they are built when they are not there, which takes minutes. */
export async function builtServers(): Promise<string> {
  const cache = process.env['FARCALL_TEST_CACHE'] ?? join(homedir(), '.cache', 'farcall-test')
  const script = fileURLToPath(new URL('kubernetes/build.sh', import.meta.url))
  const { stdout } = await run('bash', [script, cache], { maxBuffer: 2 ** 28 })
  return stdout.trim().split('\n').at(-1)!
}

/** Starts one, in about twenty seconds. Root only. */
export async function startKubernetes(): Promise<Kubernetes> {
  const servers = await builtServers()
  const folder = mkdtempSync(join(tmpdir(), 'farcall-kubernetes-'))
  chmodSync(folder, 0o755)
  for (const name of ['etc/cni', 'log', 'pki', 'etcd', 'kubelet', 'containerd/opt', 'image', 'cni', 'shared'])
    mkdirSync(join(folder, name), { recursive: true })
  chmodSync(join(folder, 'shared'), 0o777)
  const id = randomBytes(3).toString('hex')
  const cgroup = `farcall-${id}`
  const daemons = daemonGroup(folder, {
    PATH: `${servers}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    // The kubelet asks the clouds where it is, unless it knows that it is in none: ten seconds.
    AWS_ACCESS_KEY_ID: 'none',
    AWS_SECRET_ACCESS_KEY: 'none',
    AWS_EC2_METADATA_DISABLED: 'true',
    FARCALL_TEST_CLUSTER: `${folder}/`,
  })
  const restore = rememberSettings()
  const release = guard(folder, undefined, [])
  const stop = async () => {
    // The first process of the machine last: with it go all that are left there, mounts and network.
    await daemons.stop(1000)
    restore()
    await removeCgroups(cgroup)
    removeFolder(folder)
    release()
  }
  const log = (server: string) => readFileSync(join(folder, 'log', `${server}.out`), 'utf8')
  try {
    makeCgroups(cgroup)
    const machine = await otherMachine(folder, id, daemons)
    const { address } = machine
    const certificates = await makeCertificates(join(folder, 'pki'), [
      { name: 'apiserver', subject: '/CN=kube-apiserver', names: `IP:${address},IP:127.0.0.1,IP:10.96.0.1` },
      { name: 'apiserver-client', subject: '/O=system:masters/CN=apiserver-client' },
      { name: 'admin', subject: '/O=system:masters/CN=admin' },
      { name: 'controller-manager', subject: '/CN=system:kube-controller-manager' },
      { name: 'scheduler', subject: '/CN=system:kube-scheduler' },
      { name: 'node', subject: `/O=system:nodes/CN=system:node:${node}`, names: `IP:${address},DNS:${node}` },
    ])
    const layout: Layout = { folder, address, cgroup, certificates }
    const server = `https://${address}:6443`
    const ask = administrator({ server, folder })
    const start = (name: string, ...argv: string[]) => {
      const [command, ...args] = machine.enter(...argv)
      return daemons.start(name, command!, args)
    }
    const startServer = () => start('apiserver', 'kube-apiserver', ...apiserverFlags(layout))
    const answers = () =>
      ask('GET', '/readyz').then(
        () => true,
        () => false,
      )
    await startServers(layout, machine, start, startServer, answers, daemons.down, ask)
    const restartServer = async () => {
      await daemons.end('apiserver')
      startServer()
      if (!(await until(answers, 60_000)))
        throw new Error(`the API server did not come back: ${log('apiserver').slice(-1500)}`)
    }
    return {
      kubeconfig: join(folder, 'etc', 'admin.kubeconfig'),
      server,
      image: jobImage,
      folder,
      log,
      ask,
      restartServer,
      stop,
    }
  } catch (error) {
    const words = readdirSync(join(folder, 'log')).map((name) => {
      const text = readFileSync(join(folder, 'log', name), 'utf8')
      return `${name}: ${text
        .split('\n')
        .filter((line) => !/^[IW]\d/.test(line))
        .join('\n')
        .slice(-1500)}`
    })
    await stop()
    throw new Error(`Kubernetes did not start.\n${words.join('\n')}`, { cause: error })
  }
}

async function startServers(
  layout: Layout,
  { enter }: Machine,
  start: (name: string, ...argv: string[]) => unknown,
  startServer: () => unknown,
  answers: () => Promise<boolean>,
  down: () => string[],
  ask: Ask,
): Promise<void> {
  const { folder, address } = layout
  const socket = join(folder, 'containerd.sock')
  const mustBe = async (what: string, ready: () => boolean | Promise<boolean>, patience = 60_000) => {
    const settled = await until(async () => down().length > 0 || (await ready()), patience)
    if (down().length > 0) throw new Error(`${down().join(', ')} ended`)
    if (!settled) throw new Error(`${what} after ${patience} ms`)
  }
  start('containerd', 'containerd', '-c', writeContainerdConfig(layout))
  const local = 'http://127.0.0.1:2379'
  const urls = [
    `--listen-client-urls=${local}`,
    `--advertise-client-urls=${local}`,
    '--listen-peer-urls=http://127.0.0.1:2380',
  ]
  start('etcd', 'etcd', `--data-dir=${folder}/etcd`, ...urls, '--unsafe-no-fsync')
  startServer()
  writeKubeconfig(layout, 'admin')
  const imported = (async () => {
    const archive = await makeImage(join(folder, 'image'))
    await mustBe('containerd has no socket', () => isSocket(socket))
    const [command, ...args] = enter('ctr', '-a', socket, '-n', 'k8s.io', 'images', 'import', archive)
    await run(command!, args)
  })()
  imported.catch(() => {}) // told below
  await mustBe('the API server does not answer', answers)
  // The controller-manager ends itself when it starts before the roles are there.
  const controller = controllerFlags(layout, writeKubeconfig(layout, 'controller-manager'))
  start(
    'controller-manager',
    'kube-controller-manager',
    ...controller,
    '--kube-api-qps=100',
    '--kube-api-burst=200',
  )
  start(
    'scheduler',
    'kube-scheduler',
    ...asClient(writeKubeconfig(layout, 'scheduler')),
    '--kube-api-qps=100',
    '--kube-api-burst=200',
  )
  await imported
  start(
    'kubelet',
    'kubelet',
    `--config=${writeKubeletConfig(layout)}`,
    `--kubeconfig=${writeKubeconfig(layout, 'node')}`,
    '--container-runtime=remote',
    `--container-runtime-endpoint=unix://${socket}`,
    `--root-dir=${folder}/kubelet`,
    `--node-ip=${address}`,
    `--hostname-override=${node}`,
    '--v=2',
  )
  const isReady = async () => {
    const found = await ask('GET', `/api/v1/nodes/${node}`).catch(() => undefined)
    return (found?.status?.conditions ?? []).some(
      (one: { type: string; status: string }) => one.type === 'Ready' && one.status === 'True',
    )
  }
  await mustBe('the node is not ready', isReady)
  await mustBe('there is no service account', () =>
    ask('GET', '/api/v1/namespaces/default/serviceaccounts/default').then(
      () => true,
      () => false,
    ),
  )
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false
}
