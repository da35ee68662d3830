import type { ExecutorTraits } from '../executor/executor.ts'

/** How items are dealt to array members. */
export interface Plan {
  readonly chunk: number
  readonly members: number
}

/** Chunks for each free core where there is no queue: enough to even out items of unequal length. */
const chunksPerSlot = 4

/**
 * Items for each member. Where a queue decides, a member for each item, as far as an array may grow; on a
 * machine without a queue, some chunks for each core, since each member starts a Node. Where a member runs `slots` items at
 * once, it gets so many.
 */
export function planMembers(
  items: number,
  chunk: number | 'auto',
  cores: number,
  traits: ExecutorTraits,
  slots = 1,
): Plan {
  const most = traits.maxMembers ?? Number.POSITIVE_INFINITY
  const wanted =
    chunk !== 'auto'
      ? chunk
      : traits.slots === undefined
        ? Math.min(slots, Math.max(1, items))
        : Math.ceil(items / (Math.max(1, Math.floor(traits.slots / cores)) * chunksPerSlot))
  const size = Math.max(1, wanted, Math.ceil(items / most))
  return { chunk: size, members: Math.max(1, Math.ceil(items / size)) }
}
