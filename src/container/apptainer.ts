/**
 * Apptainer, and Singularity, from which it came.
 * https://apptainer.org/docs/user/1.3/cli/apptainer_exec.html
 */
import type { ContainerSpec } from '../core/container-settings.ts'
import { type Engine, inQuotes, isImageFile, othersOf, type Word } from './engine.ts'

const bind = (source: string, target: string, readOnly: boolean): Word[] => [
  '--bind',
  { shell: `${source}:${target}${readOnly ? ':ro' : ''}` },
]

function words(program: string, spec: ContainerSpec, image: Word): Word[] {
  const { mounts, network = false, user, writableTmpfs, fakeroot, overlay, memoryBytes, options = [] } = spec
  return [
    program,
    'exec',
    // Nothing of the node comes along but what is named: no home folder, no variables.
    '--cleanenv',
    '--contain',
    // /tmp and the home folder inside; they would be 16 MB of memory otherwise.
    '--workdir',
    { shell: '$farcall_scratch' },
    ...(network === true || network === 'host'
      ? []
      : ['--net', '--network', network === false ? 'none' : network]),
    ...(fakeroot || user === 'root' ? ['--fakeroot'] : []),
    ...(writableTmpfs ? ['--writable-tmpfs'] : []),
    ...(overlay === undefined ? [] : ['--overlay', overlay]),
    ...(memoryBytes === undefined ? [] : ['--memory', String(memoryBytes)]),
    { words: '$farcall_gpu_words' },
    ...bind('$farcall_workdir', '$farcall_workdir', false),
    ...othersOf(spec).flatMap((name) => bind(`$farcall_workdir/${name}`, `$farcall_workdir/${name}`, true)),
    ...(spec.caches ?? []).flatMap(({ name, path, readOnly }) =>
      bind(`$farcall_workdir/caches/${name}`, inQuotes(path), readOnly),
    ),
    ...mounts.flatMap(({ target, readOnly }, index) =>
      bind(
        `$farcall_mount_${index}`,
        target.startsWith('/') ? inQuotes(target) : `$farcall_target_${index}`,
        readOnly,
      ),
    ),
    '--pwd',
    spec.workdir ?? { shell: '$farcall_inside_cwd' },
    ...options,
    image,
    '/bin/sh',
  ]
}

const engine = (name: 'apptainer' | 'singularity'): Engine => ({
  name,
  program: name,
  image: (reference) =>
    isImageFile(reference) || reference.includes('://') ? reference : `docker://${reference}`,
  lacks: ({ user }) => (['caller', 'image', 'root'].includes(user) ? [] : ['user']),
  words: (spec, image) => words(name, spec, image),
})

export const apptainer = engine('apptainer')
export const singularity = engine('singularity')
