import { invalidSetting as invalid, requireInside } from './container-path.ts'
import type { ContainerCache, ContainerSettings, ContainerSpec } from './container-settings.ts'

type Caches = NonNullable<ContainerSpec['caches']>

/**
 * In the order of their names, which is that in which their locks are taken: jobs never wait for each other in a circle.
 * @throws ConfigError OPTION_INVALID, VALUE_UNSAFE
 */
export function resolveCaches(given: readonly ContainerCache[], hasSetup: boolean, where: string): Caches {
  const seen = new Map<string, string>()
  const caches = given.map(({ name, path, exclusive, readOnly = hasSetup }, index) => {
    const here = `${where}.caches[${index}]`
    if (!/^[A-Za-z0-9][\w.-]{0,99}$/.test(name) || name.endsWith('.lock'))
      throw invalid(`${here}.name`, name, "a name of letters, digits, '.', '_' and '-'")
    for (const [key, value] of [
      ['name', name],
      ['path', path],
    ] as const) {
      if (seen.has(`${key} ${value}`))
        throw invalid(`${here}.${key}`, value, `its own: ${seen.get(`${key} ${value}`)} has it`)
      seen.set(`${key} ${value}`, `${where}.caches[${index}]`)
    }
    requireInside(path, `${here}.path`)
    // Engines read these as their own signs, each in its way.
    if (/[:,"]/.test(path)) throw invalid(`${here}.path`, path, 'a path without : , and "')
    if (exclusive && !hasSetup)
      throw invalid(
        `${here}.exclusive`,
        exclusive,
        `of use without a setup phase (${where}.setup), which alone has it`,
      )
    if (readOnly && !hasSetup)
      throw invalid(
        `${here}.readOnly`,
        readOnly,
        `of use without a setup phase (${where}.setup), which fills it`,
      )
    return { name, path, exclusive: exclusive ?? hasSetup, readOnly }
  })
  return caches.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** @throws ConfigError OPTION_INVALID */
export function resolveSetup(
  given: NonNullable<ContainerSettings['setup']>,
  where: string,
): NonNullable<ContainerSpec['setup']> {
  const { lines, network = true } = 'lines' in given ? given : { lines: given }
  if (lines.length === 0) throw invalid(`${where}.setup`, lines, "a list of shell lines, like ['npm ci']")
  return { lines, network }
}
