import { invalidSetting as invalid, requireInside } from './container-path.ts'
import type { ContainerMount, ContainerSettings, ContainerSpec } from './container-settings.ts'
import { resolveCaches, resolveSetup } from './container-setup.ts'
import { requirePlainText } from './shell.ts'
import { parseMemory } from './units.ts'

/**
 * A container's settings, read. What can be known to be wrong is said here; what a path of the cluster leads to is seen there.
 * @throws ConfigError OPTION_INVALID, UNIT_INVALID, VALUE_UNSAFE
 */
export function resolveContainer(given: string | ContainerSettings, where = 'container'): ContainerSpec {
  const settings = typeof given === 'string' ? { image: given } : given
  const { engine = 'auto', mounts = [], memory, user = 'caller', caches, setup, ...others } = settings
  requirePlainText(settings.image, `${where}.image`)
  if (/^-|\s/.test(settings.image) || settings.image === '')
    throw invalid(`${where}.image`, settings.image, "an image's name, like python:3.12 or /images/tools.sif")
  if (!/^(caller|image|root|\d+(:\d+)?|[a-z_][\w-]*)$/.test(user))
    throw invalid(`${where}.user`, user, "'caller', 'image', 'root', a name, or numbers like '1000:1000'")
  if (others.workdir !== undefined) requireInside(others.workdir, `${where}.workdir`)
  return {
    ...others,
    engine,
    user,
    mounts: mounts.map((mount, index) => readMount(mount, `${where}.mounts[${index}]`)),
    ...(caches === undefined ? {} : { caches: resolveCaches(caches, setup !== undefined, where) }),
    ...(setup === undefined ? {} : { setup: resolveSetup(setup, where) }),
    ...(memory === undefined ? {} : { memoryBytes: parseMemory(memory, `${where}.memory`) }),
  }
}

function readMount(given: string | ContainerMount, where: string): ContainerSpec['mounts'][number] {
  const {
    source,
    target = source,
    readOnly = false,
  } = typeof given === 'string' ? parts(given, where) : given
  for (const path of [source, target]) {
    requirePlainText(path, where)
    // Engines read these as their own signs, each in its way.
    if (/[:,"]/.test(path)) throw invalid(where, path, 'a path without : , and "')
  }
  if (!/^[/~$]/.test(source)) throw invalid(where, source, 'an absolute path on the cluster')
  if (typeof given !== 'string' || target !== source) requireInside(target, where)
  return { source, target, readOnly }
}

/** 'source[:target][:ro|:rw]' */
function parts(text: string, where: string): ContainerMount {
  const words = text.split(':')
  const mode = /^r[ow]$/.test(words.at(-1)!) && words.length > 1 ? words.pop() : undefined
  const [source = '', target, ...more] = words
  if (more.length > 0 || source === '' || target === '')
    throw invalid(where, text, "'source', 'source:target' or 'source:target:ro'")
  return { source, ...(target === undefined ? {} : { target }), readOnly: mode === 'ro' }
}
