import type { Declaration, ImportBinding } from './analysis.ts'
import type { Scope } from './inspect.ts'
import { runningName } from './renamed.ts'
import type { Decision } from './slice.ts'
import type { UserFile } from './sources.ts'

/** What one file gives to the bundle. */
export interface Part {
  file: UserFile
  decisions: Map<Declaration, Decision>
  /** Values of module-level variables, as they are now. */
  values: Record<string, unknown>
  /** Global names that are not the language's or Node's. */
  globals: Set<string>
  /** Static fields of its classes, by class. */
  statics: Record<string, Record<string, unknown>>
  /** Their static #private fields. */
  staticPrivates: Record<string, Record<string, unknown>>
  /** Module scopes of functions of this file, where current values are read. */
  scopes: Scope[]
  /** A function of this file, which says where the file runs. */
  reader?: Function
  /** Values of exports as another file imported them. */
  known: Record<string, unknown>
  /** What a cell of a notebook has from other cells, or by their imports, under the names that it uses. */
  brought: Map<string, ImportBinding>
  /** Names that the rest of the bundle needs and that this file imports. */
  imports: Set<string>
  /** All its exports are needed, for `import * as`. */
  namespace: boolean
}

export const newPart = (file: UserFile): Part => ({
  file,
  decisions: new Map(),
  values: {},
  statics: {},
  staticPrivates: {},
  globals: new Set(),
  scopes: [],
  known: {},
  brought: new Map(),
  imports: new Set(),
  namespace: false,
})

export const bindingOf = ({ file, brought }: Part, local: string): ImportBinding | undefined =>
  file.analysis.imports.find((i) => i.local === local) ?? brought.get(local)

/** What an import of the file gives now; undefined: it cannot be read. */
export function importedValue(part: Part, binding: ImportBinding): unknown {
  const direct = currentValue(part, binding.local, true)
  if (direct) return direct.value
  // compiled imports: __vi_import_0__.x, import_x.x, x_1.x
  const found = new Set<unknown>()
  for (const { object } of part.scopes)
    for (const [name, holder] of Object.entries(object))
      if (/^__vi_import_\d+__$|^import_|_\d+$/.test(name) && typeof holder === 'object' && holder !== null) {
        try {
          if (Object.hasOwn(holder, binding.name)) found.add(Reflect.get(holder, binding.name))
        } catch {
          // not initialised yet: an import cycle; it has no value then
        }
      }
  return found.size === 1 ? [...found][0] : undefined
}

/** The current value of a module-level variable; undefined: it cannot be read. */
export function currentValue(part: Part, declared: string, imported = false): { value: unknown } | undefined {
  const now = inScopes(part, declared, imported)
  if (now) return now
  return Object.hasOwn(part.known, declared) ? { value: part.known[declared] } : undefined
}

function inScopes(part: Part, declared: string, imported: boolean): { value: unknown } | undefined {
  const isImported = part.scopes.every((s) => s.description === 'import')
  const name = isImported
    ? declared
    : runningName(part.file, declared, part.file.analysis.positions[declared] ?? [], imported)
  if (name === undefined) return undefined
  const outermostFirst = [...part.scopes].reverse().filter((s) => s.description !== 'Global')
  const ordered = [
    ...outermostFirst.filter((s) => s.description !== 'Script'),
    ...outermostFirst.filter((s) => s.description === 'Script'),
  ]
  for (const { object } of ordered) if (Object.hasOwn(object, name)) return { value: object[name] }
  return undefined
}
