import type { Config, Layer, Source } from './types.ts'

/** Paths as map keys: NUL occurs in no key. */
export const pathKey = (path: readonly string[]): string => path.join('\0')

type Tree = Record<string, unknown>

/** Merges layers by key, the strongest first; lists are replaced whole. Keeps the source of every leaf. */
export function mergeLayers(layers: readonly Layer[]): { config: Config; sources: Map<string, Source> } {
  const sources = new Map<string, Source>()
  const config: Tree = {}
  for (const { source, config: from, names } of layers) {
    const visit = (into: Tree, value: Tree, path: readonly string[]) => {
      for (const [key, inner] of Object.entries(value)) {
        const here = [...path, key]
        if (isTree(inner) && (!Object.hasOwn(into, key) || isTree(into[key]))) {
          if (!Object.hasOwn(into, key)) into[key] = {}
          visit(into[key] as Tree, inner, here)
        } else if (!Object.hasOwn(into, key)) {
          into[key] = inner
          const name = names?.get(pathKey(here))
          sources.set(pathKey(here), name === undefined ? source : { ...source, name })
        }
      }
    }
    visit(config, from as Tree, [])
  }
  return { config: config as Config, sources }
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
