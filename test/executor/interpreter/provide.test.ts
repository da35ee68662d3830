import { mkdtempSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseNodeSetting } from '../../../src/core/node-setting.ts'
import { readElf, stripElf } from '../../../src/executor/interpreter/elf.ts'
import { type Provider, provideRuntime } from '../../../src/executor/interpreter/provide.ts'
import type { Target } from '../../../src/executor/interpreter/target.ts'
import { removeFolder } from '../../remove-folder.ts'

const program = readFileSync(process.execPath)
const elf = readElf(program)!
const platform = elf.arch === 'x86_64' ? 'linux-x64' : 'linux-arm64'
const here = process.versions.node

let folder: string
let provider: Provider
let asked: string[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'farcall-provide-'))
  asked = []
  provider = {
    cacheDir: folder,
    execPath: process.execPath,
    version: here,
    listVersions: async (name) => {
      asked.push(`list ${name}`)
      return ['16.20.2', here, '98.0.0']
    },
    downloadNode: async (name, version) => {
      asked.push(`${name} ${version}`)
      return program
    },
  }
})
afterEach(() => removeFolder(folder))

const target = (node = 'auto', glibc = '2.99', unfit: string[] = []): Target => {
  const setting = parseNodeSetting(node)
  if (!setting || !('versions' in setting)) throw new Error(node)
  const machine = { host: 'node017', arch: elf.arch, glibc, musl: false, stdcxx: '' }
  return { platform: machine, versions: setting.versions, isAsked: setting.kind === 'version', unfit }
}

test('the Node of this process is sent where it fits, and nothing is asked of the registry', async () => {
  const runtime = await provideRuntime(target(), provider)
  expect(runtime).toMatchObject({ name: `${here}-${platform}`, version: here, platform })
  expect(gunzipSync(readFileSync(runtime.file)).equals(stripElf(program))).toBe(true)
  expect(statSync(runtime.file).mode & 0o777).toBe(0o600)
  expect(asked).toEqual([])
  // From the cache the second time.
  const again = await provideRuntime(target(), { ...provider, execPath: '/nonexistent' })
  expect(again).toEqual(runtime)
})

test('one that keeps its code in a library is not: the registry has the same version', async () => {
  const script = join(folder, 'node')
  writeFileSync(script, '#!/bin/sh\n')
  const runtime = await provideRuntime(target(), { ...provider, execPath: script })
  expect(runtime.version).toBe(here)
  expect(asked).toEqual([`list ${platform}`, `${platform} ${here}`])
})

test('another version comes from the registry once, and again when the cache is damaged', async () => {
  const first = await provideRuntime(target('98'), provider)
  expect(first.name).toBe(`98.0.0-${platform}`)
  await provideRuntime(target('>=98'), provider)
  expect(asked).toEqual([`list ${platform}`, `${platform} 98.0.0`])
  truncateSync(first.file, 1000)
  const mended = await provideRuntime(target('98'), provider)
  expect(asked.length).toBe(4)
  expect(gunzipSync(readFileSync(mended.file)).length).toBe(mended.size)
})

test('what does not start on the machine is not sent again', async () => {
  const other = await provideRuntime(
    {
      ...target('auto', '2.99', [`${here}-${platform}`]),
      platform: { ...target().platform, stdcxx: '6.0.99' },
    },
    provider,
  )
  expect(other.version).toBe('98.0.0')
})

test('a download that would not start there is told with the reason', async () => {
  const script = join(folder, 'node')
  writeFileSync(script, '#!/bin/sh\n')
  const refused = provideRuntime(target('auto', '2.17'), { ...provider, execPath: script })
  if (elf.glibc === '2.17') return expect((await refused).version).toBe('16.20.2')
  await expect(refused).rejects.toThrow(`Node 16.20.2: it needs glibc ${elf.glibc}`)
})

test('a registry that cannot be reached is told in its words, with the way to find out which one it is', async () => {
  const offline = { ...provider, listVersions: () => Promise.reject(new Error('ENOTFOUND: no such host')) }
  await expect(provideRuntime(target('98'), offline)).rejects.toMatchObject({
    code: 'INTERPRETER_MISSING',
    message: expect.stringMatching(/could not be had from the npm registry: ENOTFOUND: no such host/),
    hint: expect.stringMatching(/npm config get registry/),
  })
})
