import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { platformHere } from '../../src/archive/here.ts'
import { isOlder, misfit, needsOf } from '../../src/archive/needs.ts'

const here = platformHere()

test('this machine is described as Node itself describes it', () => {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  expect(here).toMatchObject({
    platform: process.platform,
    arch: process.arch,
    abi: process.versions.modules,
    ...(header.glibcVersionRuntime ? { libc: 'glibc', glibc: header.glibcVersionRuntime } : {}),
  })
})

test('packages without compiled parts need nothing', () => {
  expect(needsOf([{ path: 'a/index.js', source: new URL(import.meta.url).pathname }], here)).toEqual({})
})

test('an add-on of Node-API needs the machine, and no ABI', () => {
  const binding = createRequire(import.meta.url).resolve('@libsql/linux-x64-gnu')
  const needs = needsOf([{ path: 'index.node', source: binding }], here)
  expect(needs).toMatchObject({ platform: here.platform, arch: here.arch, libc: 'glibc' })
  expect(needs.abi).toBeUndefined()
  expect(isOlder(here.glibc!, needs.glibc!)).toBe(false)
  expect(misfit(needs, here)).toBeUndefined()
})

test('a program needs the machine too, though it has no ending', () => {
  const esbuild = dirname(createRequire(import.meta.url).resolve('esbuild/package.json'))
  const needs = needsOf(
    [{ path: 'bin/esbuild', source: join(esbuild, '../@esbuild/linux-x64/bin/esbuild') }],
    here,
  )
  expect(needs).toMatchObject({ platform: here.platform, arch: here.arch })
})

test.each([
  [{ arch: 's390x' }, 'for linux-s390x'],
  [{ libc: 'musl' as const }, 'for musl, and this is glibc'],
  [{ glibc: '2.99' }, 'need glibc 2.99, and this is'],
  [{ abi: '93' }, "compiled for Node's ABI 93"],
])('%j does not fit here, and it is said why', (needs, words) => {
  expect(misfit(needs, here)).toContain(words)
})

test('what is not known of a machine speaks against nothing', () => {
  const needs = { libc: 'glibc', glibc: '2.99', abi: '1' } as const
  expect(misfit(needs, { platform: 'linux', arch: 'x64' })).toBeUndefined()
})
