/**
 * Docker, and Podman, whose command line is the same here.
 * https://docs.docker.com/reference/cli/docker/container/run/
 * https://docs.podman.io/en/v4.3/markdown/podman-run.1.html
 */
import type { ContainerSpec } from '../core/container-settings.ts'
import { asked, type Engine, inQuotes, isImageFile, othersOf, type Word } from './engine.ts'

const bind = (source: string, target: string, readOnly: boolean): Word[] => [
  '--mount',
  { shell: `type=bind,source=${source},target=${target}${readOnly ? ',readonly' : ''}` },
]

function words(program: string, spec: ContainerSpec, image: Word): Word[] {
  const { mounts, network = false, user, readOnly, pull, options = [] } = spec
  return [
    program,
    'run',
    '--rm',
    '--name',
    { shell: '$farcall_container' },
    `--pull=${pull ? 'missing' : 'never'}`,
    // The engine would keep a copy of all that is printed.
    '--log-driver=none',
    '--security-opt=no-new-privileges',
    // An engine refuses a name beside the host's network.
    ...(network === 'host' ? [] : [{ words: '$farcall_host_words' }]),
    ...(network === true ? [] : [`--network=${network === false ? 'none' : network}`]),
    ...userWords(user),
    { words: '$farcall_limits' },
    { words: '$farcall_gpu_words' },
    ...(readOnly ? ['--read-only', '--tmpfs=/tmp:rw,mode=1777'] : []),
    ...bind('$farcall_workdir', '$farcall_workdir', false),
    // What other jobs rely on is not this one's to change.
    ...othersOf(spec).flatMap((name) => bind(`$farcall_workdir/${name}`, `$farcall_workdir/${name}`, true)),
    ...(spec.caches ?? []).flatMap(({ name, path, readOnly: fixed }) =>
      bind(`$farcall_workdir/caches/${name}`, inQuotes(path), fixed),
    ),
    ...mounts.flatMap(({ target, readOnly: fixed }, index) =>
      bind(`$farcall_mount_${index}`, targetOf(target, index), fixed),
    ),
    { words: '$farcall_passed' },
    '--workdir',
    spec.workdir ?? { shell: '$farcall_inside_cwd' },
    '--entrypoint=/bin/sh',
    ...options,
    image,
  ]
}

/** One that is the source's own is what that has become there. */
const targetOf = (target: string, index: number) =>
  target.startsWith('/') ? inQuotes(target) : `$farcall_target_${index}`

function userWords(user: string): Word[] {
  if (user === 'image') return []
  if (user === 'caller') return [{ words: '$farcall_user_words' }]
  return [`--user=${user === 'root' ? '0:0' : user}`]
}

const engine = (name: 'docker' | 'podman'): Engine => ({
  name,
  program: name,
  image: (reference) => (isImageFile(reference) ? undefined : reference.replace(/^docker:\/\//, '')),
  lacks: (spec) => asked(spec, ['writableTmpfs', 'fakeroot', 'overlay']),
  words: (spec, image) => words(name, spec, image),
})

export const docker = engine('docker')
export const podman = engine('podman')
