import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { installKept, keptFolder } from '../toolchains/kept.ts'

const manifest = readFileSync(new URL('tslab.json', import.meta.url), 'utf8')

/** tslab, and the packages that the notebooks of the tests import. */
export const tslabFolder = keptFolder('tslab', manifest)
export const tslabBin = join(tslabFolder, 'node_modules/.bin')

export const installTslab = (): Promise<void> => installKept(tslabFolder, manifest)
