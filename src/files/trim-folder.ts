import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Removes the files of a folder of this machine that nothing has touched for so long. What keeps it from that is a warning. */
export function trimFolder(folder: string, unusedMs: number, now: number): void {
  if (!existsSync(folder)) return
  try {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name)
      const stats = statSync(path, { throwIfNoEntry: false })
      if (stats?.isFile() && now - stats.mtimeMs > unusedMs) rmSync(path, { force: true })
    }
  } catch (error) {
    process.emitWarning(`farcall: ${folder} could not be trimmed: ${String(error)}`)
  }
}
