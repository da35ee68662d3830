import type { Wanted } from '../archive/installed.ts'

/** A package that is to be there, and where it is installed here. */
export interface WantedPackage extends Omit<Wanted, 'folder'> {
  readonly version: string
  /** Undefined: not here, or not in this version. */
  readonly folder: string | undefined
}

/** Of another layout or format are other archives. */
export const archiveVersion = 'farcall-packages-1'

const making = new Map<string, Promise<unknown>>()

/** Of calls that are made at once, one does the work. */
export function once<T>(key: string, make: () => Promise<T>): Promise<T> {
  const known = making.get(key)
  if (known) return known as Promise<T>
  const made = make()
  making.set(key, made)
  const done = () => making.delete(key)
  made.then(done, done)
  return made
}
