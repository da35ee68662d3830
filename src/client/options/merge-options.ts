import { mergePackages } from '../../core/package-settings.ts'
import type { Environment } from '../../core/profile.ts'
import type { ClusterOptions } from './options.ts'

/** Options on top of others; an environment is merged like that of a profile. */
export function mergeOptions(under: ClusterOptions, over: ClusterOptions): ClusterOptions {
  const merged = { ...under, ...over }
  if (under.environment && over.environment)
    merged.environment = mergeEnvironments(under.environment, over.environment)
  return merged
}

/** Setting by setting, variables and the two ends of PATH one by one; a list replaces a list. */
export function mergeEnvironments(under: Environment, over: Environment): Environment {
  const said = Object.fromEntries(Object.entries(over).filter(([, value]) => value !== undefined))
  const merged: Environment = {
    ...under,
    ...said,
    variables: { ...under.variables, ...over.variables },
  }
  if (under.packages || over.packages) merged.packages = mergePackages(under.packages, over.packages)
  if (under.path || over.path) merged.path = { ...under.path, ...over.path }
  return merged
}
