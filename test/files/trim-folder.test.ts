import { existsSync, mkdtempSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { trimFolder } from '../../src/files/trim-folder.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-trim-folder-'))
afterAll(() => removeFolder(folder))

it('what was not used for long goes', () => {
  const [old, young] = [join(folder, 'old'), join(folder, 'young')]
  for (const path of [old, young]) writeFileSync(path, '')
  utimesSync(old, 1, 1)
  trimFolder(folder, 60_000, Date.now())
  expect([existsSync(old), existsSync(young)]).toEqual([false, true])
})

it('a folder that cannot be trimmed is a warning: the program is over, and all is done', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const file = join(folder, 'file')
  writeFileSync(file, '')
  trimFolder(file, 60_000, Date.now())
  expect(warn).toHaveBeenCalledWith(expect.stringMatching(/file could not be trimmed: .*ENOTDIR/))
  warn.mockRestore()
})
