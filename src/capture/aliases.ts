import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { readJsonc } from './jsonc.ts'
import { readJson } from './sources.ts'

/** `paths` of a tsconfig or `imports` of a package.json: patterns with at most one star. */
interface Aliases {
  base: string
  patterns: [pattern: string, targets: string[]][]
}

const known = new Map<string, Aliases[]>()

/** Paths without ending that an import like '@lib/x' or '#x' may mean; empty: it is a package. */
export function aliasTargets(specifier: string, folder: string): string[] {
  if (specifier.startsWith('.') || isAbsolute(specifier) || specifier.startsWith('node:')) return []
  for (const { base, patterns } of aliasesOf(folder))
    for (const [pattern, targets] of patterns) {
      const [head = '', tail] = pattern.split('*')
      if (
        tail === undefined ? specifier !== pattern : !specifier.startsWith(head) || !specifier.endsWith(tail)
      )
        continue
      const star = tail === undefined ? '' : specifier.slice(head.length, specifier.length - tail.length)
      return targets.map((target) => resolve(base, target.replace('*', star)))
    }
  return []
}

function aliasesOf(folder: string): Aliases[] {
  let found = known.get(folder)
  if (!found) {
    found = []
    const tsconfig = upward(folder, 'tsconfig.json')
    const paths = tsconfig && readPaths(tsconfig, 0)
    if (paths) found.push(paths)
    const manifest = upward(folder, 'package.json')
    const imports = manifest && readJson<{ imports?: Record<string, unknown> }>(manifest)?.imports
    if (manifest && imports) {
      const patterns = Object.entries(imports).map(([k, v]): [string, string[]] => [k, conditions(v)])
      found.push({ base: dirname(manifest), patterns })
    }
    known.set(folder, found)
  }
  return found
}

function upward(folder: string, name: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, name))) return join(at, name)
    if (dirname(at) === at) return undefined
  }
}

function readPaths(file: string, depth: number): Aliases | undefined {
  const config = readJsonc<Config>(file)
  const options = config?.compilerOptions
  if (options?.paths) {
    const base = resolve(dirname(file), options.baseUrl ?? '.')
    // the longest prefix wins, as in TypeScript
    const patterns = Object.entries(options.paths).sort(([a], [b]) => b.length - a.length)
    return { base, patterns }
  }
  for (const parent of [config?.extends ?? []].flat().reverse()) {
    const path = parentOf(parent, file)
    const found = path !== undefined && depth < 10 ? readPaths(path, depth + 1) : undefined
    if (found) return found
  }
  return undefined
}

function parentOf(name: string, from: string): string | undefined {
  if (name.startsWith('.') || isAbsolute(name)) {
    const path = resolve(dirname(from), name)
    return [path, `${path}.json`].find((p) => existsSync(p))
  }
  try {
    return createRequire(from).resolve(name)
  } catch {
    // a base that is not installed sets no paths
    return undefined
  }
}

interface Config {
  extends?: string | string[]
  compilerOptions?: { baseUrl?: string; paths?: Record<string, string[]> }
}

/** What `exports` or `imports` of a package.json lead to for a program of Node. */
export function conditions(value: unknown): string[] {
  if (typeof value === 'string') return value.startsWith('.') ? [value] : []
  if (typeof value !== 'object' || value === null) return []
  for (const key of ['node', 'import', 'module', 'default']) {
    const found = conditions(Reflect.get(value, key))
    if (found.length > 0) return found
  }
  return []
}
