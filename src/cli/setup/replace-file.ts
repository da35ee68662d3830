import { existsSync, mkdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** The file as a whole or not at all; what a link leads to, with the mode that it has, or only the owner's. */
export function replaceFile(file: string, text: string): void {
  const there = existsSync(file)
  const target = there ? realpathSync(file) : file
  if (!there) mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const temporary = `${target}.farcall-${process.pid}`
  try {
    writeFileSync(temporary, text, { mode: there ? statSync(target).mode & 0o777 : 0o600, flush: true })
    renameSync(temporary, target)
  } finally {
    rmSync(temporary, { force: true })
  }
}
