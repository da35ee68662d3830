import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The line, from 1, on which a text stands first in a file; of `import.meta.url`, the line of what a test itself runs. */
export function lineOf(file: string, text: string): number {
  const lines = readFileSync(fileURLToPath(file), 'utf8').split('\n')
  const at = lines.findIndex((line) => line.includes(text))
  if (at < 0) throw new Error(`no line of ${file} has ${text}`)
  return at + 1
}
