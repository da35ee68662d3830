import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import type { Machine } from './granted.ts'

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  return { env: process.env, processors: cpus().length, read }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // No such file in this kernel, or not for us: it limits nothing that we know of.
    return undefined
  }
}
