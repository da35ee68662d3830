import { rmSync } from 'node:fs'

/** Removes a folder, if it is there, with all in it. What ended a moment ago may still write into it, so this is tried again. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
}
