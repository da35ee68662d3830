/** Node of other majors, from npm's packages of it: installed once, into a folder that stays. */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { arch, platform, tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../clusters/processes.ts'
import { removeFolder } from '../remove-folder.ts'

export const majors = [16, 18, 20, 22, 24, 26] as const
export type Major = (typeof majors)[number]

const cache = process.env['FARCALL_TEST_NODES'] ?? join(tmpdir(), 'farcall-test-nodes')

/**
 * The program of this major; installs it when it is not there yet.
 * @throws Error when npm cannot install it
 */
export async function nodeOf(major: Major): Promise<string> {
  const name = `node-${platform()}-${arch()}`
  const folder = join(cache, String(major))
  const program = join(folder, 'node_modules', name, 'bin', 'node')
  if (existsSync(program)) return program
  mkdirSync(cache, { recursive: true })
  // Renamed into place, so that a run which is interrupted leaves no half of one.
  const temporary = join(cache, `.${major}-${process.pid}`)
  mkdirSync(temporary)
  try {
    writeFileSync(join(temporary, 'package.json'), '{"private":true}')
    const flags = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts']
    await run('npm', ['install', ...flags, `${name}@${major}`], { cwd: temporary })
    if (!existsSync(folder)) renameSync(temporary, folder)
  } finally {
    removeFolder(temporary)
  }
  return program
}
