import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../clusters/processes.ts'

const manifest = readFileSync(new URL('tools.json', import.meta.url), 'utf8').replaceAll(
  'PLATFORM',
  `${process.platform}-${process.arch}`,
)

/** What the tests run user programs with, kept from one run of them to the next. */
export const toolsFolder = join(
  tmpdir(),
  `farcall-toolchains-${process.getuid?.()}-${createHash('sha256').update(manifest).digest('hex').slice(0, 12)}`,
)

export const tool = (path: string): string => join(toolsFolder, 'node_modules', path)

export type Version = '20' | '22' | '24'
export const versions: readonly Version[] = ['20', '22', '24']

export const node = (version: Version): string =>
  process.env[`FARCALL_TEST_NODE_${version}`] ?? tool(`node-${version}/bin/node`)

/** Installs them with npm, unless an earlier run has. */
export async function installTools(): Promise<void> {
  if (existsSync(toolsFolder)) return
  const made = mkdtempSync(`${toolsFolder}-`)
  try {
    writeFileSync(join(made, 'package.json'), manifest)
    await run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: made })
    // Renamed into place: what is there is complete.
    renameSync(made, toolsFolder)
  } catch (error) {
    // Another run was faster.
    if (!existsSync(toolsFolder)) throw error
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}
