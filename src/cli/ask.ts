import { createInterface } from 'node:readline/promises'
import { ConfigError } from '../core/errors.ts'

/**
 * Whether the user agrees, asked on the terminal.
 * @throws ConfigError OPTION_INVALID where there is none, and nothing was agreed to beforehand
 */
export async function agrees(question: string, yes: boolean): Promise<boolean> {
  if (yes) return true
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new ConfigError('OPTION_INVALID', `${question} There is no terminal to ask on`, {
      hint: '--yes agrees, --dry-run only shows',
    })
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} (y/N) `)).trim())
  } finally {
    terminal.close()
  }
}
