import { dirname } from 'node:path'
import { CaptureError } from '../core/errors.ts'
import type { Modules } from './modules.ts'
import { openFile, placeName, type UserFile } from './sources.ts'

/**
 * The user's files that esbuild takes as they are, since something runs them by name: import() and require(),
 * `import './setup.ts'`, CommonJS. They begin anew on the node.
 */
export class Wholes {
  /** With every file that they reach. */
  readonly files = new Map<string, UserFile>()
  private readonly modules: Modules

  constructor(modules: Modules) {
    this.modules = modules
  }

  add(path: string): void {
    for (const file of this.reachable(path)) {
      this.files.set(file.path, file)
      refuseParts(file)
    }
  }

  /** A program of its own: nothing of it is shared with what else travels. */
  check(path: string): void {
    for (const file of this.reachable(path)) refuseParts(file)
  }

  /** The file itself, and all of the user's that it imports, in turn. */
  reachable(path: string): UserFile[] {
    const found = new Map<string, UserFile>()
    const todo = [path]
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      if (found.has(next)) continue
      const file = openFile(next, this.modules.cacheDir)
      found.set(next, file)
      for (const specifier of file.analysis.reaches) {
        const to = this.modules.resolve(specifier, dirname(next))
        if (to !== undefined) todo.push(to)
      }
    }
    return [...found.values()]
  }
}

/** What a file that is taken whole cannot have: its place at home. */
function refuseParts(file: UserFile): void {
  const { metas, globals, positions } = file.analysis
  const name = globals.find((g) => g === '__dirname' || g === '__filename')
  const at = name === undefined ? metas[0] : (positions[name]?.[0] ?? 0)
  if (at === undefined) return
  throw new CaptureError(
    'CAPTURE_REFUSED',
    `${placeName(file, at)} uses ${name ?? 'import.meta'}, and runs on the node as a whole file: it has no folder there`,
    { hint: "name a file that should travel as new URL('./data.csv', import.meta.url)" },
  )
}

/** @throws CaptureError CAPTURE_REFUSED when a CommonJS file has variables that change: they cannot be read */
export function refuseChangingCommonJs(file: UserFile): void {
  const changing = file.analysis.declarations.find(
    (d) => d.kind === 'variable' && (d.reassigned || d.mutated),
  )
  if (!changing) return
  throw new CaptureError(
    'CAPTURE_REFUSED',
    `${placeName(file, changing.start)} '${changing.names[0]}' changes while the program runs, and a CommonJS file begins anew on the node`,
    { hint: 'write the file as an ES module, or give the value as an argument' },
  )
}
