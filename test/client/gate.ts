import { chmodSync, existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { removeFolder } from '../remove-folder.ts'

/** What jobs wait for, so that a test says when they go on: a file on this machine, where they all run, whoever they run as. */
export interface Gate {
  readonly file: string
  open(): void
}

export function makeGate(): Gate {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-gate-'))
  chmodSync(folder, 0o777)
  onTestFinished(() => removeFolder(folder))
  const file = join(folder, 'open')
  return { file, open: () => writeFileSync(file, '') }
}

/** In a job: once the file is there. */
export async function comes(file: string): Promise<void> {
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 50))
}
