import { dirname, resolve } from 'node:path'
import { aliasTargets } from './aliases.ts'
import { isDeno } from './deno.ts'
import { denoSpecifier } from './deno-specifiers.ts'
import { openFile, resolveFile, type UserFile } from './sources.ts'
import { workspaceTarget } from './workspaces.ts'

/** What imports mean does not change while the program runs. */
const resolved = new Map<string, string | undefined>()

/** Which of the user's files import and export what. */
export class Modules {
  readonly cacheDir: string | undefined

  /** Cells of a notebook that others have names of, by their paths. */
  readonly cells = new Map<string, UserFile>()

  constructor(cacheDir: string | undefined) {
    this.cacheDir = cacheDir
  }

  /** The user's file that a specifier means, without an ending perhaps; undefined: a package, or no code. */
  resolve(specifier: string, folder: string): string | undefined {
    const key = `${folder}\0${specifier}`
    if (!resolved.has(key)) {
      const named = isDeno ? denoSpecifier(specifier, folder) : specifier
      const isPath = /^(\.{1,2}(\/|$)|\/)/.test(named)
      const bases = isPath
        ? [resolve(folder, named)]
        : [...aliasTargets(named, folder), ...[workspaceTarget(named, folder) ?? []].flat()]
      resolved.set(
        key,
        bases.map(resolveFile).find((path) => path !== undefined),
      )
    }
    return resolved.get(key)
  }

  /** The user's own module that the import means, when it can be sliced. */
  sibling(file: UserFile, binding: { from: string; type?: string; own?: boolean }): UserFile | undefined {
    if (binding.own || binding.type) return undefined
    const cell = this.cells.get(binding.from)
    if (cell) return cell
    const path = this.resolve(binding.from, dirname(file.path))
    if (path === undefined) return undefined
    const found = openFile(path, this.cacheDir)
    return found.analysis.commonjs ? undefined : found
  }

  /** Follows re-exports to the file that declares the name, or imports it from a package. */
  exported(file: UserFile, name: string, depth = 0): { file: UserFile; name: string } | undefined {
    if (depth > 20) return undefined
    const { exports, stars, imports, declarations } = file.analysis
    if (this.cells.has(file.path) && declarations.some((d) => d.names.includes(name))) return { file, name }
    const own = exports.find((e) => e.name === name)
    if (own?.local === undefined && own) return undefined
    if (own) {
      if (own.from === undefined) {
        const binding = imports.find((i) => i.local === own.local)
        const target = binding && this.sibling(file, binding)
        if (binding && target && binding.name !== '*') return this.exported(target, binding.name, depth + 1)
        return { file, name: own.local! }
      }
      const target = own.local === '*' ? undefined : this.sibling(file, { from: own.from })
      return target && this.exported(target, own.local!, depth + 1)
    }
    if (name === 'default') return undefined
    for (const from of stars) {
      const target = this.sibling(file, { from })
      const found = target && this.exported(target, name, depth + 1)
      if (found) return found
    }
    return undefined
  }

  exportNames(file: UserFile, depth = 0): string[] {
    const names = new Set(file.analysis.exports.map((e) => e.name))
    if (depth < 20)
      for (const from of file.analysis.stars) {
        const target = this.sibling(file, { from })
        if (target)
          for (const name of this.exportNames(target, depth + 1)) if (name !== 'default') names.add(name)
      }
    return [...names]
  }
}
