import { localFiles } from '../src/files/local.ts'
import { expandPath } from './expand-path.ts'

const key = Symbol.for('farcall.files')

/** What `fs` of a bundle's 'farcall' is: the node's own files. */
export function provideFiles(): void {
  Reflect.set(
    globalThis,
    key,
    Object.assign(
      localFiles(() => process.cwd()),
      { expand: expandPath },
    ),
  )
}
