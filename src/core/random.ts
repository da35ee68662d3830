import { createHash } from 'node:crypto'

/**
 * A generator of numbers from 0 up to 1, of which the same words always give the same row: xoshiro128** 1.1 by David
 * Blackman and Sebastiano Vigna (public domain, https://prng.di.unimi.it/xoshiro128starstar.c), seeded with the first
 * 128 bits of the SHA-256 of the words. A number is made of two outputs: 53 bits, as many as a number holds.
 */
export function seededRandom(...words: readonly (string | number)[]): () => number {
  const digest = createHash('sha256')
    .update(['farcall random', ...words].join('\0'))
    .digest()
  const next = xoshiro128([0, 4, 8, 12].map((at) => digest.readUInt32LE(at)))
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53
}

/** The 32-bit outputs of xoshiro128** from a state of four 32-bit words, not all of them zero. */
export function xoshiro128(state: readonly number[]): () => number {
  let [a = 0, b = 0, c = 0, d = 0] = state
  return () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotate(d, 11)
    return result
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
