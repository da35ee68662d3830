import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'

/** Where packages lie that tests need beside the repository's own, kept from one run of them to the next. */
export function keptFolder(name: string, manifest: string): string {
  const hash = createHash('sha256').update(manifest).digest('hex').slice(0, 12)
  return join(tmpdir(), `farcall-${name}-${process.getuid?.()}-${hash}`)
}

/** Installs a package.json with npm into its kept folder, unless an earlier run has. */
export async function installKept(
  folder: string,
  manifest: string,
  finish: (made: string) => Promise<unknown> = async () => {},
): Promise<void> {
  if (existsSync(folder)) return
  const made = mkdtempSync(`${folder}-`)
  try {
    writeFileSync(join(made, 'package.json'), manifest)
    await run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', '--fetch-retries=5'], {
      cwd: made,
    })
    await finish(made)
    // Renamed into place: what is there is complete.
    renameSync(made, folder)
  } catch (error) {
    // Another run was faster.
    if (!existsSync(folder)) throw error
  } finally {
    removeFolder(made)
  }
}
