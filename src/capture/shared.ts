import type { Graph } from './graph.ts'
import { nodeOf, type Place } from './locate.ts'
import { refuse } from './refusals.ts'

const wayOut = 'keep it in an object: const state = { … }'

/** The values that each copy of a function captured, by the function's id. */
export type Copies = Map<string, Record<string, unknown>[]>

/** Two copies of one function that change a variable: whether it is one variable cannot be seen. */
export function checkCopies(copies: Copies, place: Place, id: string, fields: Record<string, unknown>): void {
  const others = copies.get(id) ?? []
  for (const { name, writes, shareable } of nodeOf(place).captures)
    if (writes !== undefined && shareable && others.some((other) => Object.is(other[name], fields[name])))
      refuse(place, {
        at: writes,
        why: `assigns to '${name}', which may be shared with another copy of it`,
        hint: wayOut,
      })
  copies.set(id, [...others, fields])
}

/** A variable that two travelling closures have and one changes would be two variables on the node. */
export function checkShared(graph: Graph, place: Place): void {
  for (const other of graph.closures.values()) {
    if (other.file !== place.file || other.fn === place.fn) continue
    for (const mine of nodeOf(place).captures) {
      const theirs = nodeOf(other).captures.find((c) => c.declaration === mine.declaration)
      if (!theirs || (mine.writes === undefined && theirs.writes === undefined)) continue
      refuse(place, {
        at: mine.writes ?? mine.at,
        why: `shares '${mine.name}' with another function that travels, and one of them assigns to it`,
        hint: wayOut,
      })
    }
  }
}
