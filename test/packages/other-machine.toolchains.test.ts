import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { extractArchive } from '../../src/archive/extract.ts'
import type { Platform } from '../../src/archive/needs.ts'
import { blobName } from '../../src/core/protocol.ts'
import { close, cluster, configure } from '../../src/index.ts'
import { archiveFile } from '../../src/packages/cache.ts'
import { fromNpm, requestFor } from '../../src/packages/from-npm.ts'
import { removeFolder } from '../remove-folder.ts'
import { node } from '../toolchains/tools.ts'

const arm: Platform = { platform: 'linux', arch: 'arm64', libc: 'glibc', abi: '115' }
const folder = mkdtempSync(join(tmpdir(), 'farcall-other-'))
afterAll(async () => {
  await close()
  removeFolder(folder)
})

const fixture = (kind: string) => fileURLToPath(new URL(`../fixtures/locks/${kind}`, import.meta.url))
const wanted = (name: string, version: string) => [{ alias: name, name, version, folder: undefined }]

describe('npm here, for another machine', () => {
  test.each(['npm', 'pnpm', 'yarn1', 'berry'])(
    'installs from the lockfile of %s what runs there',
    async (kind) => {
      const cache = join(folder, kind)
      const made = await fromNpm(requestFor(wanted('sharp', '0.35.5'), arm, fixture(kind)), arm, cache)
      expect(made.names).toEqual(['sharp@0.35.5'])
      expect(made.needs).toMatchObject({ platform: 'linux', arch: 'arm64', libc: 'glibc' })
      expect(made.needs.abi).toBeUndefined()
      const out = join(folder, `${kind}-out`)
      mkdirSync(out)
      await extractArchive(archiveFile(cache, made.archive)!, out)
      expect(readdirSync(join(out, 'node_modules/.farcall')).sort()).toEqual([
        '@img+colour@1.1.0',
        '@img+sharp-libvips-linux-arm64@1.3.4',
        '@img+sharp-linux-arm64@0.35.5',
        'detect-libc@2.1.2',
        'node_modules',
        'semver@7.8.6',
        'sharp@0.35.5',
      ])
      // what npm worked with is gone
      expect(readdirSync(join(cache, 'packages')).length).toBe(2)
    },
  )

  test('says which one would have to be compiled there', async () => {
    const request = requestFor(wanted('better-sqlite3', '12.11.1'), arm, folder)
    await expect(fromNpm(request, arm, join(folder, 'compiled'))).rejects.toThrow(
      'better-sqlite3@12.11.1 must be compiled on such a machine',
    )
  })

  test('says in npm’s words why it has failed', async () => {
    const request = requestFor(wanted('sql.js', '0.0.999'), arm, folder)
    await expect(fromNpm(request, arm, join(folder, 'none'))).rejects.toThrow(
      /npm install failed \(1\): .*sql\.js@0\.0\.999/,
    )
  })
})

describe('npm where jobs run', () => {
  const workdir = join(folder, 'workdir')
  const versions = { 'sql.js': '1.13.0', 'is-number': '7.0.0' }
  const profile = { scheduler: 'direct', workdir, environment: { packages: versions } }

  test('installs the versions that the settings name; once for all who want the same', async () => {
    configure({ profiles: { there: profile } })
    const read = cluster({ profile: 'there' }, async () => {
      const [sql, number] = ['sql.js', 'is-number']
      const { Database } = await (await import(sql!)).default()
      const [{ values }] = new Database().exec('select sqlite_version()')
      return [values[0][0], (await import(number!)).default('5')]
    })
    expect(await read()).toEqual(['3.49.1', true])
    expect(await read()).toEqual(['3.49.1', true])
    const [key, ...others] = readdirSync(join(workdir, 'env'))
    expect(others).toEqual([])
    const { archive } = JSON.parse(readFileSync(join(workdir, 'env', key!), 'utf8'))
    expect(readdirSync(join(workdir, 'blobs'))).toContain(blobName(archive))
  })

  test('what cannot be had there and not here is told, with all that was tried', async () => {
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'npm'), '#!/bin/sh\necho "npm error nothing here" >&2\nexit 3\n', { mode: 0o755 })
    const environment = { path: { prepend: [bin] }, packages: { 'sql.js': '0.0.999' } }
    configure({ profiles: { there: { ...profile, environment } } })
    const refused = cluster({ profile: 'there' }, () => 1)()
    await expect(refused).rejects.toMatchObject({ code: 'PACKAGES_UNAVAILABLE' })
    await expect(refused).rejects.toThrow(/sql\.js@0\.0\.999.* cannot be had for linux-x64/)
    await expect(refused).rejects.toThrow(/as installed here: sql\.js@0\.0\.999.* is not installed/)
    await expect(refused).rejects.toThrow(
      /npm reaches no registry on .*: npm view failed \(3\): npm error nothing here/,
    )
    await expect(refused).rejects.toThrow(/by npm here: npm install failed \(1\)/)
  })
})

test('a Node of another ABI says that the packages are not for it, and the next call knows', async () => {
  const at = join(folder, 'project/node_modules/@farcall-test/addon')
  mkdirSync(at, { recursive: true })
  const manifest = { name: '@farcall-test/addon', version: '1.0.0', type: 'module', main: 'index.js' }
  writeFileSync(join(at, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(at, 'index.js'), 'export const add = (a, b) => a + b')
  // compiled, and not with Node-API
  copyFileSync('/bin/true', join(at, 'addon.node'))
  const file = join(folder, 'project/study.mjs')
  writeFileSync(join(folder, 'project/package.json'), '{"name":"study"}')
  writeFileSync(file, "import { add } from '@farcall-test/addon'\nexport const sum = (a, b) => add(a, b)\n")
  const { sum } = (await import(file)) as { sum: (a: number, b: number) => number }
  configure({
    profiles: {
      same: { scheduler: 'direct', workdir: join(folder, 'same') },
      other: { scheduler: 'direct', workdir: join(folder, 'other'), environment: { node: node('22') } },
    },
  })
  expect(await cluster({ profile: 'same' }, sum)(1, 2)).toBe(3)
  const remote = cluster({ profile: 'other' }, sum)
  const [mine, theirs] = [process.versions.modules, 127]
  const why = `compiled for Node's ABI ${mine}, and this Node has ${theirs}`
  await expect(remote(1, 2)).rejects.toThrow(`the packages @farcall-test/addon@1.0.0 cannot be used on`)
  const second = remote(1, 2)
  await expect(second).rejects.toMatchObject({ code: 'PACKAGES_UNAVAILABLE' })
  await expect(second).rejects.toThrow(`as installed here: they are ${why}`)
  await expect(second).rejects.toThrow(`cannot be had for linux-${process.arch}, glibc, ABI ${theirs}`)
})
