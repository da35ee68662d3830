import { createHash } from 'node:crypto'

/** `f` and 13 lowercase base32 characters: a name that PBS, Grid Engine and Kubernetes all take. */
export type JobId = string

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** A new id from 65 random bits. `random` fills a buffer, as crypto.getRandomValues does. */
export function newJobId(
  random: (bytes: Uint8Array) => Uint8Array = (b) => crypto.getRandomValues(b),
): JobId {
  let id = 'f'
  for (const byte of random(new Uint8Array(13))) id += alphabet[byte & 31]
  return id
}

/** The id of a map's further jobs, from the map's own: whoever knows that finds them all. */
export function partId(map: JobId, number: number): JobId {
  if (number === 0) return map
  return newJobId((bytes) => {
    bytes.set(createHash('sha256').update(`${map} ${number}`).digest().subarray(0, bytes.length))
    return bytes
  })
}

export function isJobId(text: string): boolean {
  return /^f[a-z2-7]{13}$/.test(text)
}
