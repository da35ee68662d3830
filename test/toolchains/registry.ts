import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
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
        response.writeHead(502).end(`${path}: ${error.message} (${String(error.cause)})`)
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
  const answer = await fetch(new URL(request.url!.slice(1), upstream), { headers: { accept } })
  const type = answer.headers.get('content-type') ?? ''
  response.writeHead(answer.status, { 'content-type': type })
  if (type.includes('json')) response.end((await answer.text()).replaceAll(upstream, url))
  else response.end(Buffer.from(await answer.arrayBuffer()))
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
