import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Certificates } from './certificates.ts'
import { pauseImage } from './image.ts'

/** What the servers of one cluster are told. */
export interface Layout {
  readonly folder: string
  readonly address: string
  /** Below the roots of the kernel's control groups. */
  readonly cgroup: string
  readonly certificates: Certificates
}

/** A kubeconfig by client certificate; JSON is YAML. */
export function writeKubeconfig({ folder, address, certificates: { file } }: Layout, name: string): string {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'test',
        cluster: { server: `https://${address}:6443`, 'certificate-authority': file('ca.crt') },
      },
    ],
    users: [{ name, user: { 'client-certificate': file(`${name}.crt`), 'client-key': file(`${name}.key`) } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: name } }],
    'current-context': 'test',
  }
  const path = join(folder, 'etc', `${name}.kubeconfig`)
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 })
  return path
}

export function writeKubeletConfig({ folder, address, cgroup, certificates: { file } }: Layout): string {
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    failSwapOn: false,
    address,
    healthzBindAddress: '127.0.0.1',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: file('ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: file('node.crt'),
    tlsPrivateKeyFile: file('node.key'),
    evictionHard: { 'memory.available': '50Mi' },
    volumeStatsAggPeriod: '0s',
    resolvConf: '',
    nodeStatusUpdateFrequency: '1s',
    // The kernel limits one client to five in a second by default.
    kubeAPIQPS: 100,
    kubeAPIBurst: 200,
  }
  return write(folder, 'kubelet.json', config)
}

export function writeContainerdConfig({ folder }: Layout): string {
  const text = `version = 2
root = "${folder}/containerd/root"
state = "${folder}/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "${folder}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "${folder}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/etc/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
`
  const path = join(folder, 'etc', 'containerd.toml')
  writeFileSync(path, text)
  const bridge = {
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        ipam: {
          type: 'host-local',
          dataDir: join(folder, 'cni'),
          ranges: [[{ subnet: '10.244.0.0/16' }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  }
  write(folder, 'cni/10-pods.conflist', bridge)
  return path
}

function write(folder: string, name: string, content: object): string {
  const path = join(folder, 'etc', name)
  writeFileSync(path, JSON.stringify(content))
  return path
}

export function apiserverFlags({ address, certificates: { file } }: Layout): string[] {
  return [
    `--bind-address=${address}`,
    '--secure-port=6443',
    `--advertise-address=${address}`,
    '--etcd-servers=http://127.0.0.1:2379',
    `--client-ca-file=${file('ca.crt')}`,
    `--tls-cert-file=${file('apiserver.crt')}`,
    `--tls-private-key-file=${file('apiserver.key')}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    `--service-account-key-file=${file('accounts.pub')}`,
    `--service-account-signing-key-file=${file('accounts.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    '--authorization-mode=Node,RBAC',
    `--kubelet-client-certificate=${file('apiserver-client.crt')}`,
    `--kubelet-client-key=${file('apiserver-client.key')}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    '--feature-gates=TTLAfterFinished=true',
  ]
}

export function controllerFlags({ certificates: { file } }: Layout, kubeconfig: string): string[] {
  return [
    ...asClient(kubeconfig),
    `--service-account-private-key-file=${file('accounts.key')}`,
    `--root-ca-file=${file('ca.crt')}`,
    '--use-service-account-credentials=true',
    '--pvclaimbinder-sync-period=1s',
    `--cluster-signing-cert-file=${file('ca.crt')}`,
    `--cluster-signing-key-file=${file('ca.key')}`,
    '--feature-gates=TTLAfterFinished=true',
  ]
}

export function asClient(kubeconfig: string): string[] {
  return [
    ...['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
      (name) => `--${name}=${kubeconfig}`,
    ),
    '--bind-address=127.0.0.1',
    '--leader-elect=false',
  ]
}
