import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { execute } from '../package/packed.ts'

/** An npm registry on loopback: it has the packed farcall; for the rest it asks the one that npm uses here. */
export interface Registry {
  readonly url: string
  /** What was asked for, up to now. */
  readonly asked: readonly string[]
  close(): Promise<void>
}

export async function startRegistry(tarball: string): Promise<Registry> {
  const upstream = (await output('npm', ['config', 'get', 'registry'])).replace(/\/*$/, '/')
  const manifest = JSON.parse(await output('tar', ['-xzOf', tarball, 'package/package.json']))
  const bytes = readFileSync(tarball)
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = request.url!.slice(1)
    asked.push(path)
    if (path === 'farcall') sendJson(response, packument(manifest, bytes, url))
    else if (path.startsWith('farcall/-/')) response.end(bytes)
    else
      passOn(request, response, upstream, url).catch((error: Error) => {
        // Deno shows what it was answered
        if (response.headersSent) response.destroy()
        else response.writeHead(502).end(`${path}: ${error.message} (${String(error.cause)})`)
      })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return {
    url,
    asked,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()))
        server.closeAllConnections()
      }),
  }
}

async function output(command: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await execute(command, args, '/')
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${stderr}`)
  return stdout.trim()
}

function packument(manifest: { name: string; version: string }, tarball: Buffer, url: string): object {
  const digest = (algorithm: string) => createHash(algorithm).update(tarball)
  const dist = {
    tarball: `${url}farcall/-/farcall-${manifest.version}.tgz`,
    integrity: `sha512-${digest('sha512').digest('base64')}`,
    shasum: digest('sha1').digest('hex'),
  }
  const versions = { [manifest.version]: { ...manifest, dist } }
  return { name: manifest.name, 'dist-tags': { latest: manifest.version }, versions }
}

/** Tarballs of the other registry are asked for here, too: the programs know neither its certificates nor its proxy. */
async function passOn(
  request: IncomingMessage,
  response: ServerResponse,
  upstream: string,
  url: string,
): Promise<void> {
  const { accept = '*/*' } = request.headers
  const { status, type, body } = await fetchPatiently(new URL(request.url!.slice(1), upstream), accept)
  response.writeHead(status, { 'content-type': type })
  response.end(type.includes('json') ? body.toString().replaceAll(upstream, url) : body)
}

/** A registry far away may fail for a moment; npm asks it again as well. */
async function fetchPatiently(url: URL, accept: string, tries = 5) {
  for (let left = tries - 1; ; left--) {
    try {
      const answer = await fetch(url, { headers: { accept } })
      const body = Buffer.from(await answer.arrayBuffer())
      if (answer.status < 500 || left === 0)
        return { status: answer.status, type: answer.headers.get('content-type') ?? '', body }
    } catch (error) {
      if (left === 0) throw error
    }
    await sleep(1000)
  }
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
