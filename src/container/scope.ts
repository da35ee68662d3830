import type { ContainerSpec } from '../core/container-settings.ts'
import type { ContainedEnvironment } from '../core/profile.ts'
import { isImageFile } from './engine.ts'
import { engineScripts } from './engines.ts'

/** What the system lives in, or others: a site may name more. */
export const deniedMounts = [
  ...['/etc', '/proc', '/sys', '/dev', '/boot', '/run', '/var/run'],
  ...['/var/lib/docker', '/var/lib/containers', '/var/lib/containerd', '/var/lib/kubelet'],
]

/**
 * The container of a job as its script has it.
 * @throws ConfigError RESOURCE_UNSUPPORTED
 */
export function containerScope(
  container: ContainerSpec,
  { variables = {}, secrets = [] }: ContainedEnvironment,
  { gpus, denied = [] }: { gpus: number; denied?: readonly string[] },
) {
  const { image, mounts, env = {}, memoryBytes, caches = [], setup } = container
  const whose = container.gpus ?? gpus > 0
  return {
    image,
    isImageFile: isImageFile(image),
    engines: engineScripts(container),
    mounts,
    denied: [...deniedMounts, ...denied],
    variables: [...Object.keys(variables), ...secrets, ...Object.keys(env)],
    env,
    memoryBytes,
    caches: caches.map(({ name }) => name),
    locks: caches.filter(({ exclusive }) => exclusive).map(({ name }) => name),
    setup: setup?.lines.join('\n'),
    gpus: whose === true ? ('nvidia' as const) : whose,
  }
}
