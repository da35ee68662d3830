import { chmodSync, cpSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { removeFolder } from '../remove-folder.ts'
import { daemonGroup } from './daemons.ts'
import { run } from './processes.ts'

/** Images of the tests: with a C library alone, with Node beside it, with musl's, and with no program at all. */
export const images = {
  bare: 'localhost/farcall-bare:1',
  node: 'localhost/farcall-node:1',
  musl: 'localhost/farcall-musl:1',
  empty: 'localhost/farcall-empty:1',
} as const

export interface Engines {
  /** Variables by which the programs find this run's containers and images, and nobody else's. */
  readonly env: Readonly<Record<string, string>>
  /** Images as tar files, for accounts that have a store of their own. */
  readonly archives: Readonly<Record<keyof typeof images, string>>
  /** What Podman needs to be told on machines like that of the tests. */
  readonly podmanConf: string
  stop(): Promise<void>
}

/** A Podman with a store of its own, and a Docker daemon with a socket of its own. Root only. */
export async function startEngines(): Promise<Engines> {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-engines-'))
  const at = (path: string) => join(folder, path)
  chmodSync(folder, 0o755)
  for (const path of ['log', 'docker', 'podman']) mkdirSync(at(path))
  const podmanConf = at('containers.conf')
  writePodmanConf(podmanConf)
  writeFileSync(
    at('storage.conf'),
    `[storage]\ndriver = "overlay"\nrunroot = "${at('podman/run')}"\ngraphroot = "${at('podman/data')}"\n`,
  )
  const env = {
    CONTAINERS_CONF: podmanConf,
    CONTAINERS_STORAGE_CONF: at('storage.conf'),
    DOCKER_HOST: `unix://${at('docker.sock')}`,
  }
  const archives = await makeImages(folder)
  const daemons = daemonGroup(folder, { PATH: process.env['PATH'] ?? '' })
  daemons.start('dockerd', 'dockerd', [
    ...['--data-root', at('docker/data'), '--exec-root', at('docker/exec'), '--pidfile', at('docker.pid')],
    ...['-H', env.DOCKER_HOST, '--bridge=none', '--iptables=false', '--ip6tables=false'],
    ...['--ip-forward=false', '--ip-masq=false'],
  ])
  const own = { env: { ...process.env, ...env } }
  for (let tries = 0; ; tries++) {
    const up = await run('docker', ['version'], own).then(
      () => true,
      () => false, // not yet
    )
    if (up) break
    if (tries > 300 || daemons.down().length > 0) throw new Error(`dockerd did not come up, see ${at('log')}`)
    await sleep(100)
  }
  for (const [name, image] of Object.entries(images)) {
    const change = ['--change', 'ENV PATH=/usr/bin:/bin']
    const archive = archives[name as keyof typeof images]
    await run('podman', ['import', ...change, archive, image], own)
    await run('docker', ['import', ...change, archive, image], own)
  }
  return {
    env,
    archives,
    podmanConf,
    stop: async () => {
      await run('podman', ['rm', '-fa'], own).catch(() => {}) // none is left
      await daemons.stop(10_000)
      // Podman keeps its store mounted on itself.
      await run('umount', [at('podman/data/overlay')]).catch(() => {}) // it was not
      // Docker, the namespace of those that had the machine's network.
      await run('umount', [at('docker/exec/netns/default')]).catch(() => {}) // none had
      removeFolder(folder)
    },
  }
}

/** What Podman needs to be told on machines like that of the tests: crun does not run here, and runc with these. */
export function writePodmanConf(file: string): void {
  writeFileSync(
    file,
    `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`,
  )
}

/** Tar files of them, made of programs of this machine. */
export async function makeImages(folder: string): Promise<Engines['archives']> {
  const archives: Record<string, string> = {}
  for (const name of Object.keys(images)) {
    const root = join(folder, `root-${name}`)
    for (const path of ['bin', 'usr/bin', 'lib', 'lib64', 'tmp', 'etc', 'proc', 'sys', 'dev', 'run'])
      mkdirSync(join(root, path), { recursive: true })
    chmodSync(join(root, 'tmp'), 0o1777)
    if (name !== 'empty') await addPrograms(root, name)
    archives[name] = join(folder, `${name}.tar`)
    await run('tar', ['-C', root, '-cf', archives[name]!, '.'])
    chmodSync(archives[name]!, 0o644)
    removeFolder(root)
  }
  return archives as Engines['archives']
}

async function addPrograms(root: string, name: string): Promise<void> {
  const copy = (file: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    cpSync(file, join(root, file), { dereference: true })
  }
  // It is linked statically: a shell and coreutils under any C library.
  copy('/bin/busybox')
  const { stdout } = await run('/bin/busybox', ['--list'])
  for (const applet of stdout.split('\n').filter((one) => one !== '' && one !== 'busybox'))
    symlinkSync('busybox', join(root, 'bin', applet))
  if (name === 'musl') {
    copy('/lib/ld-musl-x86_64.so.1')
    return
  }
  const { stdout: libraries } = await run('ldd', [process.execPath])
  for (const [library] of libraries.matchAll(/\/\S+(?= \()/g)) copy(library)
  if (name === 'node') {
    cpSync(process.execPath, join(root, 'usr/bin/node'), { dereference: true })
    chmodSync(join(root, 'usr/bin/node'), 0o755)
  }
}
