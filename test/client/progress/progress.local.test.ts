import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { removeFolder } from '../../remove-folder.ts'
import { root } from '../helpers.ts'

const program = [
  process.execPath,
  `${root}dist/cli/main.js`,
  'run',
  `${root}test/fixtures/programs/progress.ts`,
]

const workdir = mkdtempSync(join(tmpdir(), 'farcall-progress-'))
afterAll(() => removeFolder(workdir))

/** What a terminal of 100 columns would be sent. */
function onTerminal(env: Record<string, string>): string {
  const command = `stty cols 100 rows 30; exec ${program.map((word) => `'${word}'`).join(' ')}`
  const { CI: _, ...rest } = process.env
  const options = {
    env: { ...rest, TERM: 'xterm', FARCALL_WORKDIR: workdir, ...env },
    encoding: 'utf8' as const,
  }
  return execFileSync('script', ['-qec', command, '/dev/null'], options)
}

describe('on a terminal', () => {
  it('each map has a live line, what the program prints goes above, and in the end they are gone', () => {
    const sent = onTerminal({})
    const text = stripVTControlCharacters(sent)
    expect(text).toMatch(/slow [█░]{20} \d+\/10 .*running/)
    expect(text).toMatch(/slow [█░]{20} \d+\/8 .* left/)
    expect(text).toContain('1 failed: not three')
    expect(text.match(/^value 1\d\r?$/gm)).toHaveLength(8)
    expect(text).toContain('told 9 1')
    expect(text.trimEnd().endsWith('failed 1')).toBe(true)
    // The cursor was never hidden, so that nothing can leave it so.
    expect(sent).not.toContain('\x1b[?25l')
  })

  it('is silent where it is switched off', () => {
    const text = stripVTControlCharacters(onTerminal({ FARCALL_PROGRESS: '0' }))
    expect(text).not.toContain('░')
    expect(text).toContain('told 9 1')
  })
})
