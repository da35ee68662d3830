import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writevSync,
} from 'node:fs'
import { join } from 'node:path'

/**
 * Bytes over this lie in a file of their own. Up to about 100 kB SQLite reads and writes them faster than the
 * filesystem does (sqlite.org/intern-v-extern-blob.html), and a large one would pass through the journal.
 */
export const inRowLimit = 100_000

/** The store's large bytes, by name; the database says which of them count. */
export class Files {
  readonly folder: string

  constructor(storeFolder: string) {
    this.folder = join(storeFolder, 'files')
  }

  pathOf(name: string): string {
    return join(this.folder, name)
  }

  /** There at once and whole, or not at all. */
  write(name: string, content: Uint8Array | readonly Uint8Array[] | { readonly path: string }): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 })
    const path = this.pathOf(name)
    const temporary = `${path}.${process.pid}.part`
    try {
      if (content instanceof Uint8Array) writeFileSync(temporary, content, { mode: 0o600 })
      else if (isPieces(content)) writePieces(temporary, content)
      else {
        writeFileSync(temporary, '', { mode: 0o600 })
        copyFileSync(content.path, temporary)
      }
      renameSync(temporary, path)
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
  }

  /** Undefined when it is gone or has another size: files may be purged, or cut off by a power cut. */
  read(name: string, size: number): Uint8Array | undefined {
    if (this.sizeOf(name) !== size) return undefined
    return readFileSync(this.pathOf(name))
  }

  sizeOf(name: string): number | undefined {
    return statSync(this.pathOf(name), { throwIfNoEntry: false })?.size
  }

  remove(names: readonly string[]): void {
    for (const name of names) rmSync(this.pathOf(name), { force: true })
  }

  /** All that is there, with sizes and times of writing. */
  list(): { name: string; size: number; time: number }[] {
    let names: string[]
    try {
      names = readdirSync(this.folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
    return names.flatMap((name) => {
      const stat = statSync(this.pathOf(name), { throwIfNoEntry: false })
      return stat ? [{ name, size: stat.size, time: stat.mtimeMs }] : []
    })
  }
}

function isPieces(
  content: readonly Uint8Array[] | { readonly path: string },
): content is readonly Uint8Array[] {
  return Array.isArray(content)
}

/** What is left of pieces whose first bytes were written. */
function after(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  let count = 0
  let rest = written
  while (count < pieces.length && rest >= pieces[count]!.byteLength) rest -= pieces[count++]!.byteLength
  const [first, ...others] = pieces.slice(count)
  return first ? [first.subarray(rest), ...others] : []
}

/** As many as one call takes. */
const piecesAtOnce = 1024

function writePieces(path: string, pieces: readonly Uint8Array[]): void {
  const file = openSync(path, 'w', 0o600)
  try {
    for (let at = 0; at < pieces.length; at += piecesAtOnce) {
      let rest = pieces.slice(at, at + piecesAtOnce)
      // It may take less than it was given.
      while (rest.length > 0) rest = after(rest, writevSync(file, rest))
    }
  } finally {
    closeSync(file)
  }
}
