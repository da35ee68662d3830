import { describe, expect, it } from 'vitest'
import { engineScripts } from '../../src/container/engines.ts'
import type { ContainerSettings } from '../../src/core/container-settings.ts'
import { resolveContainer } from '../../src/core/resolve-container.ts'

const lineOf = (settings: ContainerSettings) => engineScripts(resolveContainer(settings))[0]!.line
const all = (
  engine: NonNullable<ContainerSettings['engine']>,
  more: Partial<ContainerSettings> = {},
): ContainerSettings => ({
  engine,
  image: 'python:3.12',
  mounts: ['/data', '$SCRATCH/in:/in:ro', { source: '/a b', target: '/it\'s "x"'.replaceAll('"', '') }],
  workdir: '/in',
  network: true,
  options: ['--cap-drop', 'all'],
  ...more,
})

describe('the command line of', () => {
  it('docker', () => {
    expect(lineOf({ engine: 'docker', image: 'docker://python:3.12' })).toMatchInlineSnapshot(
      `"docker run --rm --name "$farcall_container" --pull=never --log-driver=none --security-opt=no-new-privileges $farcall_host_words --network=none $farcall_user_words $farcall_limits $farcall_gpu_words --mount "type=bind,source=$farcall_workdir,target=$farcall_workdir" --mount "type=bind,source=$farcall_workdir/blobs,target=$farcall_workdir/blobs,readonly" --mount "type=bind,source=$farcall_workdir/node,target=$farcall_workdir/node,readonly" $farcall_passed --workdir "$farcall_inside_cwd" --entrypoint=/bin/sh python:3.12"`,
    )
    expect(
      lineOf(all('docker', { readOnly: true, user: 'root', pull: true, network: 'host' })),
    ).toMatchInlineSnapshot(
      `"docker run --rm --name "$farcall_container" --pull=missing --log-driver=none --security-opt=no-new-privileges --network=host --user=0:0 $farcall_limits $farcall_gpu_words --read-only --tmpfs=/tmp:rw,mode=1777 --mount "type=bind,source=$farcall_workdir,target=$farcall_workdir" --mount "type=bind,source=$farcall_workdir/blobs,target=$farcall_workdir/blobs,readonly" --mount "type=bind,source=$farcall_workdir/node,target=$farcall_workdir/node,readonly" --mount "type=bind,source=$farcall_mount_0,target=/data" --mount "type=bind,source=$farcall_mount_1,target=/in,readonly" --mount "type=bind,source=$farcall_mount_2,target=/it's x" $farcall_passed --workdir /in --entrypoint=/bin/sh --cap-drop all python:3.12"`,
    )
  })
  it('podman', () => {
    expect(lineOf(all('podman', { user: 'image' }))).toMatchInlineSnapshot(
      `"podman run --rm --name "$farcall_container" --pull=never --log-driver=none --security-opt=no-new-privileges $farcall_host_words $farcall_limits $farcall_gpu_words --mount "type=bind,source=$farcall_workdir,target=$farcall_workdir" --mount "type=bind,source=$farcall_workdir/blobs,target=$farcall_workdir/blobs,readonly" --mount "type=bind,source=$farcall_workdir/node,target=$farcall_workdir/node,readonly" --mount "type=bind,source=$farcall_mount_0,target=/data" --mount "type=bind,source=$farcall_mount_1,target=/in,readonly" --mount "type=bind,source=$farcall_mount_2,target=/it's x" $farcall_passed --workdir /in --entrypoint=/bin/sh --cap-drop all python:3.12"`,
    )
  })
  it('apptainer', () => {
    expect(lineOf({ engine: 'apptainer', image: 'python:3.12' })).toMatchInlineSnapshot(
      `"apptainer exec --cleanenv --contain --workdir "$farcall_scratch" --net --network none $farcall_gpu_words --bind "$farcall_workdir:$farcall_workdir" --bind "$farcall_workdir/blobs:$farcall_workdir/blobs:ro" --bind "$farcall_workdir/node:$farcall_workdir/node:ro" --pwd "$farcall_inside_cwd" docker://python:3.12 /bin/sh"`,
    )
    expect(
      lineOf(
        all('apptainer', {
          image: '$IMAGES/tools.sif',
          fakeroot: true,
          writableTmpfs: true,
          overlay: '/scratch/over lay.img',
          memory: '1GB',
        }),
      ),
    ).toMatchInlineSnapshot(
      `"apptainer exec --cleanenv --contain --workdir "$farcall_scratch" --fakeroot --writable-tmpfs --overlay '/scratch/over lay.img' --memory 1073741824 $farcall_gpu_words --bind "$farcall_workdir:$farcall_workdir" --bind "$farcall_workdir/blobs:$farcall_workdir/blobs:ro" --bind "$farcall_workdir/node:$farcall_workdir/node:ro" --bind "$farcall_mount_0:/data" --bind "$farcall_mount_1:/in:ro" --bind "$farcall_mount_2:/it's x" --pwd /in --cap-drop all "$farcall_image" /bin/sh"`,
    )
  })
  it('singularity', () => {
    expect(
      lineOf({ engine: 'singularity', image: '/images/tools.sif', network: 'host' }),
    ).toMatchInlineSnapshot(
      `"singularity exec --cleanenv --contain --workdir "$farcall_scratch" $farcall_gpu_words --bind "$farcall_workdir:$farcall_workdir" --bind "$farcall_workdir/blobs:$farcall_workdir/blobs:ro" --bind "$farcall_workdir/node:$farcall_workdir/node:ro" --pwd "$farcall_inside_cwd" /images/tools.sif /bin/sh"`,
    )
  })
  it('pyxis', () => {
    expect(lineOf(all('pyxis', { user: 'root', readOnly: true }))).toMatchInlineSnapshot(
      `"srun --nodes=1 --ntasks=1 --export=ALL --no-container-mount-home --container-remap-root --container-readonly "--container-mounts=$farcall_workdir:$farcall_workdir,$farcall_workdir/blobs:$farcall_workdir/blobs:ro,$farcall_workdir/node:$farcall_workdir/node:ro,$farcall_mount_0:/data,$farcall_mount_1:/in:ro,$farcall_mount_2:/it's x" --container-workdir=/in --cap-drop all "--container-image=python:3.12" /bin/sh"`,
    )
  })
})

describe('caches and a setup phase', () => {
  const caches = [
    { name: 'pip', path: '/cache/pip' },
    { name: 'deps', path: "/opt/it's", exclusive: false, readOnly: false },
  ]
  it.each(['docker', 'apptainer', 'pyxis'] as const)('%s', (engine) => {
    const [script] = engineScripts(
      resolveContainer({ engine, image: 'python:3.12', caches, setup: ['pip install x'] }),
    )
    expect([script!.line, script!.setupLine]).toMatchSnapshot()
  })
  it('are read, in the order of their names', () => {
    expect(resolveContainer({ image: 'a', caches, setup: { lines: ['x'], network: 'host' } })).toMatchObject({
      caches: [
        { name: 'deps', path: "/opt/it's", exclusive: false, readOnly: false },
        { name: 'pip', path: '/cache/pip', exclusive: true, readOnly: true },
      ],
      setup: { lines: ['x'], network: 'host' },
    })
    expect(resolveContainer({ image: 'a', caches: [caches[0]!] }).caches).toEqual([
      { name: 'pip', path: '/cache/pip', exclusive: false, readOnly: false },
    ])
  })
  it.each<[Partial<ContainerSettings>, RegExp]>([
    [{ caches: [{ name: '../x', path: '/x' }] }, /caches\[0\]\.name: "\.\.\/x" is not a name of letters/],
    [{ caches: [{ name: 'x.lock', path: '/x' }] }, /caches\[0\]\.name/],
    [{ caches: [{ name: 'x', path: 'x' }] }, /caches\[0\]\.path/],
    [{ caches: [{ name: 'x', path: '/proc/x' }] }, /would hide/],
    [{ caches: [{ name: 'x', path: '/a,b' }] }, /without : , and/],
    [
      { caches: [...caches, caches[0]!] },
      /caches\[2\]\.name: "pip" is not its own: container\.caches\[0\] has it/,
    ],
    [
      { caches: [{ name: 'x', path: '/x', exclusive: true }] },
      /exclusive: true is not of use without a setup/,
    ],
    [{ caches: [{ name: 'x', path: '/x', readOnly: true }] }, /readOnly: true is not of use without a setup/],
    [{ setup: [] }, /container\.setup: \[\] is not a list of shell lines/],
  ])('%j is refused', (more, message) => {
    expect(() => resolveContainer({ image: 'a', ...more })).toThrow(message)
  })
  it('need an engine that can do without a network, if the setup phase is to', () => {
    const setup = { lines: ['x'], network: false }
    expect(() => engineScripts(resolveContainer({ image: 'a', engine: 'pyxis', setup }))).toThrow(
      'pyxis has no container.setup.network',
    )
  })
})

describe('engines', () => {
  const names = (settings: ContainerSettings) =>
    engineScripts(resolveContainer(settings)).map(({ name }) => name)

  it('are looked for in order, those that can do what is asked', () => {
    expect(names({ image: 'python:3.12' })).toEqual(['apptainer', 'singularity', 'podman', 'docker'])
    expect(names({ image: '/images/tools.sif' })).toEqual(['apptainer', 'singularity'])
    expect(names({ image: 'a', user: '1000:1000' })).toEqual(['podman', 'docker'])
    expect(names({ image: 'a', overlay: '/o' })).toEqual(['apptainer', 'singularity'])
  })

  it('that have nothing for it are an error that names the setting', () => {
    const refused = (settings: ContainerSettings) => () => engineScripts(resolveContainer(settings))
    expect(refused({ image: 'a', engine: 'docker', overlay: '/o', fakeroot: true })).toThrow(
      'docker has no container.fakeroot, container.overlay',
    )
    expect(refused({ image: 'x.sif', engine: 'podman' })).toThrow('podman has no images like x.sif')
    expect(refused({ image: 'a', engine: 'pyxis', network: false, memory: '1GB' })).toThrow(
      'pyxis has no container.network, container.memory',
    )
  })
})

describe('a container', () => {
  it('may be an image alone, and mounts are read', () => {
    expect(resolveContainer('python:3.12')).toEqual({
      image: 'python:3.12',
      engine: 'auto',
      user: 'caller',
      mounts: [],
    })
    expect(
      resolveContainer({ image: 'a', mounts: ['/d', '/d:/e', '~/d:/e:ro', '$S/x:rw'], memory: '1GB' }),
    ).toMatchObject({
      mounts: [
        { source: '/d', target: '/d', readOnly: false },
        { source: '/d', target: '/e', readOnly: false },
        { source: '~/d', target: '/e', readOnly: true },
        { source: '$S/x', target: '$S/x', readOnly: false },
      ],
      memoryBytes: 1024 ** 3,
    })
  })

  it.each<[Partial<ContainerSettings>, RegExp]>([
    [{ image: '' }, /container\.image/],
    [{ image: '-v /:/host' }, /container\.image/],
    [{ image: 'a\nb' }, /control character/],
    [{ mounts: ['data'] }, /mounts\[0\]: "data" is not an absolute path on the cluster/],
    [{ mounts: ['/a:b'] }, /an absolute path inside/],
    [{ mounts: ['/a:/b/../etc'] }, /a path without \.\./],
    [{ mounts: ['/a:/proc/x'] }, /would hide the container's own \/proc/],
    [{ mounts: ['/a://'] }, /would hide the container's own \//],
    [{ mounts: ['/a:/b:/c:ro'] }, /'source', 'source:target'/],
    [{ mounts: [{ source: '/a,readonly', target: '/b' }] }, /a path without/],
    [{ mounts: [{ source: '/a\n', target: '/b' }] }, /control character/],
    [{ workdir: 'work' }, /container\.workdir/],
    [{ user: '--privileged' }, /container\.user/],
    [{ memory: 'much' }, /container\.memory/],
  ])('%j is refused', (more, message) => {
    expect(() => resolveContainer({ image: 'a', ...more })).toThrow(message)
  })
})
