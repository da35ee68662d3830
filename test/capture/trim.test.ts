import { mkdirSync, mkdtempSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { trimCache } from '../../src/capture/trim.ts'
import { removeFolder } from '../remove-folder.ts'

const now = Date.UTC(2026, 0, 1)
const day = 86_400_000
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'farcall-trim-'))
  for (const name of ['bundles', 'code', 'maps']) mkdirSync(join(folder, name))
})
afterEach(() => removeFolder(folder))

function put(name: string, days: number, content = 'x') {
  writeFileSync(join(folder, name), content)
  const time = (now - days * day) / 1000
  utimesSync(join(folder, name), time, time)
}
const files = () => ['bundles', 'code', 'maps'].flatMap((name) => readdirSync(join(folder, name)).sort())

test('a bundle goes with its code and map, by its last use', () => {
  for (const [key, hash, days] of [
    ['a1', 'b1', 10],
    ['a2', 'b2', 100],
  ] as const) {
    put(`bundles/${key}.json`, days, JSON.stringify({ hash }))
    put(`code/${hash}.mjs`, 300)
    put(`maps/${hash}-${key}.json`, 300)
  }
  put('code/notes.txt', 900)
  trimCache(folder, { maxAgeMs: 90 * day, maxBytes: 1e6 }, now)
  expect(files()).toEqual(['a1.json', 'b1.mjs', 'notes.txt', 'b1-a1.json'])
})

test('above its size the least lately used go', () => {
  for (const [hash, days] of [
    ['c1', 3],
    ['c2', 1],
    ['c3', 2],
  ] as const)
    put(`code/${hash}.mjs`, days, 'x'.repeat(100))
  trimCache(folder, { maxAgeMs: 90 * day, maxBytes: 250 }, now)
  expect(files()).toEqual(['c2.mjs', 'c3.mjs'])
})
