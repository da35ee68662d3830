import { createHash } from 'node:crypto'
import type { Environment } from '../../core/profile.ts'

/** What makes two calls the same, apart from their arguments. */
export interface CacheFacts {
  /** sha256 of the code. */
  readonly bundle: string
  /** The captured values, encoded. */
  readonly values: Uint8Array
  readonly environment: Environment
  /** name@version of what the bundle imports and does not hold. */
  readonly packages?: readonly string[]
  /** Processes that run it together, and whether it is all their values. */
  readonly ranks?: { readonly size: number; readonly gather: boolean } | undefined
  /** sha256 of declared input files, by their path. */
  readonly files?: ReadonlyMap<string, string>
}

/** Another meaning of the parts gives other keys. */
const keyVersion = 'farcall-call-1'

/** A key for each input. Resources are no part of it: with more memory the same call gives the same result. */
export function cacheKeys(facts: CacheFacts, inputs: readonly Uint8Array[]): string[] {
  const { bundle, values, environment, files = new Map(), packages = [], ranks } = facts
  const common = createHash('sha256')
  const parts = [keyVersion, bundle, environmentText(environment), JSON.stringify([...files].sort())]
  // What there was first keeps its keys.
  if (packages.length > 0) parts.push(JSON.stringify(packages))
  if (ranks) parts.push(JSON.stringify(['ranks', ranks.size, ranks.gather]))
  for (const part of parts) common.update(`${Buffer.byteLength(part)}:${part}`)
  common.update(values)
  const base = common.digest()
  return inputs.map((input) => createHash('sha256').update(base).update(input).digest('hex'))
}

/** As it was written, whatever the order of its keys; the order of modules and lines matters. */
function environmentText({
  node = 'auto',
  modules = [],
  setup = [],
  variables = {},
  ...rest
}: Environment): string {
  const sorted = (record: object) => Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))
  const more = sorted(rest)
  // What there was first keeps its keys.
  return JSON.stringify([node, modules, setup, sorted(variables), ...(more.length > 0 ? [more] : [])])
}
