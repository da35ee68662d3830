import { ConfigError } from '../../core/errors.ts'
import type { Slots } from '../../core/protocol.ts'
import type { ResolvedResources } from '../../core/resources.ts'

/**
 * Items of a member that run at once, by what each of them needs of the member's cores and GPUs. Undefined: one at a time.
 * @throws ConfigError OPTION_INVALID
 */
export function resolveSlots(
  { cores, gpus }: Pick<ResolvedResources, 'cores' | 'gpus'>,
  coresPerItem: number | undefined,
  gpusPerItem: number | undefined,
): Slots | undefined {
  if (coresPerItem === undefined && gpusPerItem === undefined) return undefined
  const room = [roomFor('cores', cores, coresPerItem), roomFor('gpus', gpus?.count, gpusPerItem)].filter(
    (count) => count !== undefined,
  )
  const count = Math.min(...room)
  const isWhole = (all: number | undefined, each = all) => all === each
  if (count === 1 && isWhole(cores, coresPerItem) && isWhole(gpus?.count, gpusPerItem)) return undefined
  return {
    count,
    cores: coresPerItem ?? Math.max(1, Math.floor((cores ?? 1) / count)),
    gpus: gpusPerItem ?? 0,
  }
}

function roomFor(
  name: 'cores' | 'gpus',
  all: number | undefined,
  each: number | undefined,
): number | undefined {
  if (each === undefined) return undefined
  if (all !== undefined && all >= each) return Math.floor(all / each)
  const asked = all === undefined ? `${name} says nothing` : `${name} is ${all}`
  throw new ConfigError('OPTION_INVALID', `${name}PerItem: an item needs ${each}, and ${asked}`, {
    hint: `ask for what all items that run at once need: { ${name}: ${each * 4}, ${name}PerItem: ${each} } runs four`,
  })
}
