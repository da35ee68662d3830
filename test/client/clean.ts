import { existsSync, readdirSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'

const day = 86_400

/** Makes files and folders in a work folder as old as that. */
export function age(workdir: string, days: number, ...names: readonly string[]): void {
  const time = Date.now() / 1000 - days * day
  for (const name of names) utimesSync(join(workdir, name), time, time)
}

/** A folder and all that is in it. */
export function ageTree(workdir: string, days: number, name: string): void {
  for (const entry of readdirSync(join(workdir, name), { recursive: true, encoding: 'utf8' }))
    if (!entry.endsWith('.new')) age(workdir, days, `${name}/${entry}`) // a job that runs renames those
  age(workdir, days, name)
}

export const has = (workdir: string, name: string) => existsSync(join(workdir, name))
export const blobsIn = (workdir: string) => readdirSync(join(workdir, 'blobs')).sort()
export const isFresh = (workdir: string, name: string) =>
  Date.now() - statSync(join(workdir, name)).mtimeMs < 3_600_000
