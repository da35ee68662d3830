import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ClusterOptions, close, cluster, configure } from '../../src/index.ts'
import { onLogin } from '../client/left.ts'
import { images, makeImages, writePodmanConf } from '../clusters/engines.ts'
import type { Facts } from '../clusters/setup/facts.ts'
import type { Sshd } from '../clusters/sshd.ts'
import { removeFolder } from '../remove-folder.ts'

/**
 * Somebody with an account on the cluster, and images of their own: Podman without root, in jobs of a scheduler.
 * `jobVariable`: where that says which job it is.
 */
export function rootlessContainers(
  scheduler: 'slurm' | 'sge' | 'direct',
  jobVariable: string,
  sshd: Facts<Sshd>,
): void {
  const { host, port, user, identityFile, knownHosts } = sshd
  const folder = mkdtempSync(join(tmpdir(), 'farcall-rootless-'))
  chmodSync(folder, 0o755)
  const conf = join(folder, 'containers.conf')
  const variables = { CONTAINERS_CONF: conf, STORAGE_DRIVER: 'vfs' }
  const podman = (words: string) =>
    onLogin(
      sshd,
      `${Object.entries(variables)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')} podman ${words}`,
    )

  beforeAll(async () => {
    writePodmanConf(conf)
    const archives = await makeImages(folder)
    podman(`import --change 'ENV PATH=/usr/bin:/bin' ${archives.bare} ${images.bare}`)
    const place = { scheduler, host, port, user, identityFile, knownHosts } as const
    configure({ profiles: { lab: { ...place, queryInterval: '2s' } }, defaultProfile: 'lab' })
  })
  afterAll(async () => {
    await close()
    podman('system reset -f')
    removeFolder(folder)
  })
  const hasNetworks = onLogin(sshd, 'command -v slirp4netns || true') !== ''
  const within: ClusterOptions = {
    container: { image: images.bare, engine: 'podman', mounts: ['$HOME:/home/me'] },
    // What the engine is told is of the node, and goes there by the shell's own variables.
    environment: { setup: Object.entries(variables).map(([name, value]) => `export ${name}=${value}`) },
    time: '5m',
    memory: '200MB',
  }

  it('runs an array with our Node, and files belong to the caller', async () => {
    const look = cluster({ ...within, chunk: 1 }, async (n: number) => {
      const { readdirSync, writeFileSync } = await import('node:fs')
      writeFileSync(`/home/me/made-${n}`, 'inside')
      return {
        n,
        nets: readdirSync('/sys/class/net'),
        job: process.env[jobVariable] !== undefined,
        node: process.execPath.includes('/node/'),
      }
    })
    expect(await look.map([1, 2])).toEqual([1, 2].map((n) => ({ n, nets: ['lo'], job: true, node: true })))
    expect(onLogin(sshd, 'stat -c %U ~/made-1 ~/made-2').trim().split('\n')).toEqual([user, user])
  })

  it('leaves nothing behind when it is canceled', async () => {
    const hangs = cluster(within, async () => {
      console.log('begun')
      await new Promise((resolve) => setTimeout(resolve, 300_000))
    })()
    hangs.catch(() => {})
    const running = () =>
      onLogin(sshd, `pgrep -f -u $(id -u) '[/]jobs/${hangs.id}/job.sh|${hangs.id} 1 [0]' || true`)
    for await (const line of hangs.logs({ follow: true })) if (line.includes('begun')) break
    expect(podman("ps --format '{{.Names}}'")).toContain(hangs.id)
    expect(running()).not.toBe('')
    await hangs.cancel()
    await expect(hangs).rejects.toMatchObject({ code: 'JOB_CANCELED' })
    // Podman's own list may still have it, since Slurm has killed what would have told it.
    await expect.poll(running, { timeout: 60_000 }).toBe('')
  })

  it('has a setup phase, once for all members, and its cache alone', async () => {
    const container = {
      image: images.bare,
      engine: 'podman' as const,
      caches: [{ name: `made-${scheduler}`, path: '/made' }],
      setup: { lines: ['echo begin >>/made/lines', 'sleep 1', 'echo end >>/made/lines'], network: 'host' },
    }
    const read = cluster({ ...within, container, chunk: 1 }, async (n: number) => {
      const { readFileSync } = await import('node:fs')
      return `${n} ${readFileSync('/made/lines', 'utf8').trim().replaceAll('\n', ' ')}`
    })
    expect(await read.map([1, 2, 3])).toEqual([1, 2, 3].map((n) => `${n} begin end`))
    const two = [read(4), read.with({ time: '6m' })(5)]
    // The function of the one may run while the setup of the other does.
    expect((await Promise.all(two)).sort((a, b) => a.length - b.length)).toEqual([
      expect.stringMatching(/^\d begin end begin end( begin)?( end)?$/),
      expect.stringMatching(/^\d begin end begin end begin end$/),
    ])
    expect(onLogin(sshd, `cd ~/.farcall/caches && echo *${scheduler}*`).trim()).toBe(`made-${scheduler}`)
  })

  it.skipIf(hasNetworks)('says what a network of its own would need', async () => {
    const one = cluster(
      { ...within, container: { image: images.bare, engine: 'podman', network: true } },
      () => 1,
    )
    await expect(one()).rejects.toMatchObject({
      status: {
        reason: 'launch-failed',
        message: expect.stringMatching(/slirp4netns is not installed: ask for the network 'host'/),
      },
    })
  })

  it('that is not there is named, with what to do', async () => {
    const one = cluster({ ...within, container: { image: 'localhost/none:1', engine: 'podman' } }, () => 1)
    await expect(one()).rejects.toMatchObject({
      status: {
        reason: 'launch-failed',
        message: expect.stringMatching(/localhost\/none:1 is not on .*podman pull/),
      },
    })
  })
}
