import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from '../processes.ts'

/** What jobs run in: busybox, and the Node of the tests. No registry has it. */
export const jobImage = 'localhost/farcall-node:1'
/** What holds a pod's namespaces. */
export const pauseImage = 'localhost/farcall-pause:1'

/** An archive as `docker save` makes them, for `ctr images import`. Gives its path. */
export async function makeImage(folder: string): Promise<string> {
  const root = join(folder, 'rootfs')
  const at = (path: string) => join(root, path)
  for (const path of ['bin', 'usr/bin', 'etc', 'root', 'proc', 'sys', 'dev', 'run'])
    mkdirSync(at(path), { recursive: true })
  mkdirSync(at('tmp'))
  await run('chmod', ['1777', at('tmp')])
  const copy = (from: string, to = from) => {
    mkdirSync(dirname(at(to)), { recursive: true })
    copyFileSync(from, at(to))
  }
  copy('/bin/busybox')
  const { stdout: applets } = await run('/bin/busybox', ['--list'])
  for (const name of applets.split('\n').filter((name) => name !== '' && name !== 'busybox'))
    symlinkSync('busybox', at(`bin/${name}`))
  copy(process.execPath, 'usr/bin/node')
  const { stdout: libraries } = await run('ldd', [process.execPath])
  for (const [library] of libraries.matchAll(/\/\S+(?= \()/g)) copy(library)
  writeFileSync(at('etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n')
  writeFileSync(at('etc/group'), 'root:x:0:\nuser:x:1000:\n')

  const image = join(folder, 'image')
  mkdirSync(image)
  await run('tar', ['-C', root, '-cf', join(image, 'layer.tar'), '.'])
  const layer = createHash('sha256')
    .update(readFileSync(join(image, 'layer.tar')))
    .digest('hex')
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Env: ['PATH=/usr/bin:/bin'], Cmd: ['/bin/sleep', '1000000000'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
  }
  writeFileSync(join(image, 'config.json'), JSON.stringify(config))
  const manifest = [{ Config: 'config.json', RepoTags: [jobImage, pauseImage], Layers: ['layer.tar'] }]
  writeFileSync(join(image, 'manifest.json'), JSON.stringify(manifest))
  const archive = join(folder, 'image.tar')
  await run('tar', ['-C', image, '-cf', archive, 'manifest.json', 'config.json', 'layer.tar'])
  return archive
}
