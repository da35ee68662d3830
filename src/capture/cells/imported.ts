import type { ImportBinding } from '../analysis.ts'
import { nameIn } from '../name-in.ts'
import { isOwnSpecifier } from '../own.ts'
import { tslabNotebook } from './tslab.ts'

/**
 * The import that gives this value again on the node, when another cell imported it: found by what it is, among
 * what the packages give that cells have named.
 */
export function importOf(
  local: string,
  value: unknown,
  specifiers: () => Iterable<string>,
  folder: string,
): ImportBinding | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined
  for (const from of specifiers()) {
    const name = nameIn(load(from), value)
    if (name === undefined) continue
    return { local, from, name, ...(isOwnSpecifier(from, folder) ? { own: true } : {}) }
  }
  return undefined
}

function load(specifier: string): unknown {
  try {
    return tslabNotebook()?.require(specifier)
  } catch {
    return undefined // no cell that named it got it
  }
}
