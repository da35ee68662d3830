import { homedir } from 'node:os'
import { FileError } from '../src/core/errors.ts'

/** ~ and $VARIABLES of the node. */
export function expandPath(path: string): string {
  const home = path.replace(/^~(?=\/|$)/, () => homedir())
  return home.replace(/\$(?:\{(\w+)\}|([A-Za-z_]\w*))/g, (_, braced: string, plain: string) => {
    const value = process.env[braced ?? plain]
    if (value === undefined)
      throw new FileError(
        'FILE_MISSING',
        `remoteFile ${path}: $${braced ?? plain} is not set on the node`,
        path,
        {
          hint: 'set it with environment.variables, or write the path in full',
        },
      )
    return value
  })
}
