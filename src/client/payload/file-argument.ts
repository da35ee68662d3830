import { resolve } from 'node:path'
import { ConfigError } from '../../core/errors.ts'
import { fileArguments, localMark, remoteMark } from '../../core/file-arguments.ts'

declare const kind: unique symbol

/** A path that `localFile` gave: text for whoever takes a path. */
export type LocalFile = string & { readonly [kind]?: 'local' }
/** A path that `remoteFile` gave: text for whoever takes a path. */
export type RemoteFile = string & { readonly [kind]?: 'remote' }

/** Whether any argument can be one: looking through them is for nothing else. */
let used = false

/**
 * A file of this machine as an argument: its content goes along, once, and the function gets the path of the file on the
 * node. It is text, so the function's parameter is a `string`; with `.local()` it is the path here. It works in arguments
 * and in arrays, plain objects, maps and sets in them; a variable that the function captures stays as it is.
 *
 * @example
 * import { cluster, fs, localFile } from 'farcall'
 *
 * await fs.write('mesh.txt', '3 points')
 * const read = cluster((path: string) => fs.read(path, 'utf8'))
 * console.log(await read(localFile('mesh.txt')))
 */
export function localFile(path: string): LocalFile {
  requireText(path, 'localFile')
  used = true
  const absolute = resolve(path)
  const at = absolute.lastIndexOf('/')
  return `${absolute.slice(0, at)}${localMark}${absolute.slice(at + 1)}` as LocalFile
}

/**
 * A path on the cluster as an argument: nothing is moved. `~` and `$VARIABLES` in it are those of the node.
 * @example
 * import { cluster, fs, remoteFile } from 'farcall'
 *
 * const size = cluster(async (path: string) => (await fs.stat(path)).size)
 * console.log(await size(remoteFile('$HOME/.profile')).catch((error: Error) => error.message))
 */
export function remoteFile(path: string): RemoteFile {
  requireText(path, 'remoteFile')
  if (path.startsWith('/') && !path.includes('$')) return path as RemoteFile
  used = true
  return `${remoteMark}${path}` as RemoteFile
}

const none: readonly string[] = []

/** The arguments of a call that stand for files. */
export function filesAmong(args: readonly unknown[]): readonly string[] {
  return used ? [...fileArguments(args)] : none
}

function requireText(path: unknown, what: string): void {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return
  throw new ConfigError('OPTION_INVALID', `${what}: expected a path, got ${JSON.stringify(path)}`)
}
