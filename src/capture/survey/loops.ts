import type { Graph } from '../graph.ts'
import { nodeOf, type Place } from '../locate.ts'
import { findLoops, type LoopVerdict, type Parallel } from '../loops/loops.ts'
import { placeIn } from './marks.ts'
import type { Loop } from './types.ts'

/** What `parallel` would make of each loop of a function. */
export function loopsOf(graph: Graph, place: Place): Loop[] {
  const find = (parallel: Parallel) => findLoops(place.file, nodeOf(place), graph.modules, parallel).verdicts
  const strict = new Map(find('strict').map((one) => [one.at, one]))
  return find('auto').map((one) => {
    const there = strict.get(one.at)
    return {
      at: placeIn(place.file, one.at),
      form: one.form,
      split: one.split,
      ...whyKept(place, one),
      warnings: one.warnings,
      ...(one.split && there && !there.split ? { strict: whyKept(place, there) } : {}),
    }
  })
}

function whyKept({ file }: Place, { reason, because }: LoopVerdict) {
  return reason === undefined ? {} : { reason, because: placeIn(file, because!) }
}
