import { localFiles } from '../../files/local.ts'
import type { FileSystem } from '../../files/types.ts'

/**
 * The files of the machine that the code runs on: of this one, and inside a remote function of the node. Relative paths
 * begin in the working directory.
 * @example
 * import { fs } from 'farcall'
 *
 * await fs.write('results/one.txt', 'done')
 * console.log(await fs.glob('results/*.txt'))
 * await fs.remove('results', { recursive: true })
 */
export const fs: FileSystem = localFiles(() => process.cwd())
