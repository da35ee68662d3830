import { FileError } from '../core/errors.ts'

/** The last part. */
export function nameOf(path: string): string {
  const trimmed = trimSlashes(path)
  return trimmed.slice(trimmed.lastIndexOf('/') + 1)
}

/** All but the last part. */
export function folderOf(path: string): string {
  const at = trimSlashes(path).lastIndexOf('/')
  return at < 0 ? '.' : at === 0 ? '/' : path.slice(0, at)
}

/** A link's name with a slash behind it would be what it leads to. */
export function trimSlashes(path: string): string {
  return path.length > 1 ? path.replace(/(?<=[^/])\/+$/, '').replace(/^\/+$/, '/') : path
}

export function joinPath(folder: string, rest: string): string {
  if (folder === '.' || folder === '') return rest
  return folder.endsWith('/') ? `${folder}${rest}` : `${folder}/${rest}`
}

/** @throws FileError FILE_REFUSED */
export function requirePath(path: unknown, verb: string): string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return path
  throw new FileError('FILE_REFUSED', `${verb}: ${JSON.stringify(path)} is no path`, String(path), {
    hint: 'a path is text, not empty, without NUL characters',
  })
}

export function refuseRemoval(path: string, what: string): FileError {
  return new FileError('FILE_REFUSED', `remove ${path}: it is ${what}`, path, {
    hint: 'name what lies in it',
  })
}
