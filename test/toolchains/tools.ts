import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { installKept, keptFolder } from './kept.ts'

const manifest = readFileSync(new URL('tools.json', import.meta.url), 'utf8').replaceAll(
  'PLATFORM',
  `${process.platform}-${process.arch}`,
)

/** What the tests run user programs with. */
export const toolsFolder = keptFolder('toolchains', manifest)

export const tool = (path: string): string => join(toolsFolder, 'node_modules', path)

export type Version = '20' | '22' | '24'
export const versions: readonly Version[] = ['20', '22', '24']

export const node = (version: Version): string =>
  process.env[`FARCALL_TEST_NODE_${version}`] ?? tool(`node-${version}/bin/node`)

export const installTools = (): Promise<void> => installKept(toolsFolder, manifest)
