import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'

/** What of a cluster an administrator needs to know. */
export interface Administered {
  readonly server: string
  readonly folder: string
}

/** One request; rejects with the server's words when it is refused. */
// biome-ignore lint/suspicious/noExplicitAny: what a test reads of an answer it says itself
export type Ask = (method: string, path: string, body?: object, type?: string) => Promise<any>

export function administrator({ server, folder }: Administered): Ask {
  const [ca, cert, key] = ['ca.crt', 'admin.crt', 'admin.key'].map((name) =>
    readFileSync(join(folder, 'pki', name)),
  )
  return (method, path, body, type = 'application/json') =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body)
      const headers = { 'content-type': type, 'content-length': Buffer.byteLength(text) }
      const options = {
        method,
        ca: ca!,
        cert: cert!,
        key: key!,
        headers,
        timeout: 60_000,
        agent: false as const,
      }
      const asked = request(`${server}${path}`, options, (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => {
          const said = Buffer.concat(parts).toString()
          if ((response.statusCode ?? 500) >= 300)
            reject(new Error(`${method} ${path}: ${response.statusCode} ${said}`))
          else resolve(/json/.test(response.headers['content-type'] ?? '') ? JSON.parse(said) : said)
        })
      })
      asked.on('timeout', () => asked.destroy(new Error(`${method} ${path}: no answer`)))
      asked.on('error', reject)
      asked.end(text)
    })
}
