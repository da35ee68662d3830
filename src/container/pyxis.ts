/**
 * Pyxis: Slurm's srun starts the container itself, by enroot.
 * https://github.com/NVIDIA/pyxis#usage
 */
import type { ContainerSpec } from '../core/container-settings.ts'
import { asked, type Engine, inQuotes, othersOf, type Word } from './engine.ts'

function words(spec: ContainerSpec, image: Word): Word[] {
  const { mounts, user, readOnly, options = [] } = spec
  const mounted = [
    '$farcall_workdir:$farcall_workdir',
    ...othersOf(spec).map((name) => `$farcall_workdir/${name}:$farcall_workdir/${name}:ro`),
    ...(spec.caches ?? []).map(
      ({ name, path, readOnly: fixed }) =>
        `$farcall_workdir/caches/${name}:${inQuotes(path)}${fixed ? ':ro' : ''}`,
    ),
    ...mounts.map(
      ({ target, readOnly: fixed }, index) =>
        `$farcall_mount_${index}:${target.startsWith('/') ? inQuotes(target) : `$farcall_target_${index}`}${fixed ? ':ro' : ''}`,
    ),
  ]
  return [
    'srun',
    '--nodes=1',
    '--ntasks=1',
    '--export=ALL',
    '--no-container-mount-home',
    user === 'root' ? '--container-remap-root' : '--no-container-remap-root',
    readOnly ? '--container-readonly' : '--container-writable',
    { shell: `--container-mounts=${mounted.join(',')}` },
    spec.workdir === undefined
      ? { shell: '--container-workdir=$farcall_inside_cwd' }
      : `--container-workdir=${spec.workdir}`,
    ...options,
    { shell: `--container-image=${quotedImage(image)}` },
    '/bin/sh',
  ]
}

const quotedImage = (image: Word) =>
  typeof image === 'string' ? inQuotes(image) : 'shell' in image ? image.shell : image.words

export const pyxis: Engine = {
  name: 'pyxis',
  program: 'srun',
  image: (reference) => reference.replace(/^docker:\/\//, ''),
  lacks: (spec) => [
    ...(spec.network === false || typeof spec.network === 'string' ? (['network'] as const) : []),
    ...(['caller', 'image', 'root'].includes(spec.user) ? [] : (['user'] as const)),
    ...asked(spec, ['memoryBytes', 'writableTmpfs', 'fakeroot', 'overlay', 'pull']),
  ],
  words,
}
