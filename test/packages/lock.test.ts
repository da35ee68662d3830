import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import type { Platform } from '../../src/archive/needs.ts'
import { requestFor } from '../../src/packages/from-npm.ts'
import { findLockfile } from '../../src/packages/lock/find.ts'
import type { LockedPackage, Need } from '../../src/packages/lock/types.ts'
import { runsOn, subsetOf } from '../../src/packages/subset.ts'
import { removeFolder } from '../remove-folder.ts'

const fixture = (kind: string) => fileURLToPath(new URL(`../fixtures/locks/${kind}`, import.meta.url))
const arm: Platform = { platform: 'linux', arch: 'arm64', libc: 'glibc', abi: '115' }
const alpine: Platform = { platform: 'linux', arch: 'x64', libc: 'musl', abi: '115' }

const folder = mkdtempSync(join(tmpdir(), 'farcall-locks-'))
afterAll(() => removeFolder(folder))

interface Entry {
  version: string
  integrity?: string
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}
type Entries = Record<string, Entry>

const wanted = (name: string, version: string) => [{ alias: name, name, version, folder: undefined }]
const entriesOf = (lock: object) => (lock as { packages: Entries }).packages

describe.each(['npm', 'pnpm', 'yarn1', 'berry'])('the lockfile of %s', (kind) => {
  test('gives what a package needs on another machine, in the versions that it names', () => {
    const { manifest, lock } = requestFor(wanted('sharp', '0.35.5'), arm, fixture(kind))
    expect(manifest).toMatchObject({ dependencies: { sharp: '0.35.5' } })
    const { '': _root, ...entries } = entriesOf(lock)
    expect(Object.keys(entries).sort()).toEqual([
      'node_modules/@img/colour',
      'node_modules/@img/sharp-libvips-linux-arm64',
      'node_modules/@img/sharp-linux-arm64',
      'node_modules/detect-libc',
      'node_modules/semver',
      'node_modules/sharp',
    ])
    expect(entries['node_modules/@img/sharp-libvips-linux-arm64']!.version).toBe('1.3.4')
    expect(entries['node_modules/sharp']!.optionalDependencies).toEqual({
      '@img/sharp-libvips-linux-arm64': '1.3.4',
      '@img/sharp-linux-arm64': '0.35.5',
    })
    if (kind !== 'berry') expect(entries['node_modules/semver']!.integrity).toMatch(/^sha512-/)
  })

  test('knows musl from glibc', () => {
    const entries = entriesOf(requestFor(wanted('sharp', '0.35.5'), alpine, fixture(kind)).lock)
    const parts = Object.keys(entries).filter((path) => path.includes('/@img/sharp'))
    expect(parts.sort()).toEqual([
      'node_modules/@img/sharp-libvips-linuxmusl-x64',
      'node_modules/@img/sharp-linuxmusl-x64',
    ])
  })

  test('gives ordinary needs too, and is passed over for a version that it has not', () => {
    const { lock } = requestFor(wanted('bl', '4.1.0'), arm, fixture(kind))
    expect(Object.keys(entriesOf(lock))).toEqual(
      expect.arrayContaining(['node_modules/bl', 'node_modules/buffer', 'node_modules/readable-stream']),
    )
    const other = requestFor(wanted('bl', '3.0.0'), arm, fixture(kind))
    expect(other.manifest).toMatchObject({ dependencies: { bl: '3.0.0' } })
    expect(Object.keys(entriesOf(other.lock))).toEqual([''])
  })
})

test('the same packages for the same machine have the same key, and another key for another machine', () => {
  const key = (there: Platform) => requestFor(wanted('sharp', '0.35.5'), there, fixture('npm')).key
  expect(key(arm)).toBe(key({ ...arm }))
  expect(key({ ...arm, abi: '127' })).not.toBe(key(arm))
  expect(key(alpine)).not.toBe(key(arm))
})

test('of npm workspaces, what lies in a member of theirs is found as Node finds it', () => {
  const root = join(folder, 'workspaces')
  mkdirSync(join(root, 'packages/a'), { recursive: true })
  const packages = {
    '': { name: 'root', workspaces: ['packages/*'] },
    'node_modules/a': { resolved: 'packages/a', link: true },
    'packages/a': { version: '1.0.0', dependencies: { x: '2' } },
    'packages/a/node_modules/x': { version: '2.0.0', dependencies: { y: '1', z: '2' } },
    'packages/a/node_modules/x/node_modules/z': { version: '2.0.0' },
    'node_modules/x': { version: '1.0.0' },
    'node_modules/y': { version: '1.0.0', dependencies: { z: '1' } },
    'node_modules/z': { version: '1.0.0' },
  }
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }))
  const request = requestFor(wanted('x', '2.0.0'), arm, join(root, 'packages/a'))
  const { '': _root, ...entries } = entriesOf(request.lock)
  expect(Object.entries(entries).map(([path, { version }]) => `${path}@${version}`)).toEqual([
    'node_modules/x@2.0.0',
    'node_modules/y@1.0.0',
    'node_modules/y/node_modules/z@1.0.0',
    'node_modules/z@2.0.0',
  ])
})

test('a lockfile that is none is told by its name', () => {
  const root = join(folder, 'broken')
  mkdirSync(root)
  writeFileSync(join(root, 'package-lock.json'), '{"packages":')
  expect(() => findLockfile(root)).toThrow(/broken\/package-lock\.json cannot be read/)
})

test.each([
  ['@esbuild/linux-x64', false],
  ['@rollup/rollup-linux-arm64-gnu', true],
  ['@rollup/rollup-linux-arm64-musl', false],
  ['@img/sharp-linuxmusl-arm64', false],
  ['@node-rs/crc32-darwin-universal', false],
  ['left-pad', true],
])('of parts without a word on platforms, %s goes by its name', (name, expected) => {
  expect(runsOn({ name }, arm)).toBe(expected)
})

/** Packages whose needs are any of the others, in several versions of one name. */
const graphs = fc
  .record({
    versions: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 6 }),
    edges: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 25 }),
  })
  .map(({ versions, edges }) => {
    const needs = new Map<LockedPackage, Need[]>()
    const all = versions.flatMap((count, n) =>
      Array.from({ length: count }, (_, v) => {
        const one: LockedPackage = { name: `p${n}`, version: `${v + 1}.0.0`, needs: () => needs.get(one)! }
        needs.set(one, [])
        return one
      }),
    )
    for (const [a, b] of edges) {
      const [from, to] = [all[a % all.length]!, all[b % all.length]!]
      const list = needs.get(from)!
      if (from.name !== to.name && !list.some(({ name }) => name === to.name))
        list.push({ name: to.name, optional: false, to, range: to.version })
    }
    return all
  })

test('whatever needs what, each package finds the version that it needs', () => {
  fc.assert(
    fc.property(graphs, (all) => {
      const roots = all.map((to) => ({
        alias: `${to.name}-${to.version}`,
        name: to.name,
        version: to.version,
        to,
      }))
      const { '': _root, ...entries } = entriesOf(subsetOf(roots, arm).lock)
      const find = (from: string, name: string): Entry | undefined => {
        for (let at = from; ; ) {
          const found = entries[at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`]
          if (found || at === '') return found
          at = at.includes('/node_modules/') ? at.slice(0, at.lastIndexOf('/node_modules/')) : ''
        }
      }
      for (const [path, { dependencies = {} }] of Object.entries(entries))
        for (const [name, version] of Object.entries(dependencies))
          expect(find(path, name)?.version).toBe(version)
      for (const { alias, version } of roots) expect(entries[`node_modules/${alias}`]!.version).toBe(version)
    }),
  )
})
