import { homedir } from 'node:os'

/** ~ at the beginning of a path on this machine. */
export function expandHome(path: string): string {
  return path === '~' || path.startsWith('~/') ? homedir() + path.slice(1) : path
}
