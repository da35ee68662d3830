import { homedir } from 'node:os'
import { platformHere } from '../archive/here.ts'
import type { Bundle } from '../capture/types.ts'
import { cacheFolder } from '../config/cache-folder.ts'
import type { JobSpec, PackagesRef } from '../core/protocol.ts'
import { archiveFile } from '../packages/cache.ts'
import { fromInstalled } from '../packages/make.ts'

const cacheDir = () => cacheFolder(process.env, homedir())

/** An archive of what the bundle imports and does not hold; undefined: it holds all. */
export async function packagesFor({ packages }: Bundle): Promise<PackagesRef | undefined> {
  if (packages.length === 0) return undefined
  return fromInstalled(packages, platformHere(), cacheDir())
}

/** Where the archive of a job's packages lies here: needed when the place has lost it. */
export function archiveOf({ packages }: JobSpec): { archive?: string } {
  const archive = packages && archiveFile(cacheDir(), packages.archive)
  return archive === undefined ? {} : { archive }
}
