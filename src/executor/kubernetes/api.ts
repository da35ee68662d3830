/** The few requests of the Kubernetes API that jobs take. */
import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http'
import { Agent, type RequestOptions, request } from 'node:https'
import { StringDecoder } from 'node:string_decoder'
import { TransportError } from '../../core/errors.ts'
import type { Identity, IdentitySource } from './credentials.ts'
import { type ApiStatus, refusalOf, unreachable } from './failures.ts'
import type { Access } from './kubeconfig.ts'

export interface Ask {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: object
  /** Of the body. */
  readonly type?: string
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}

const answerMs = 60_000

/** What the server said no with. */
export class ApiError extends Error {
  readonly status: ApiStatus
  readonly method: string
  readonly path: string

  constructor(status: ApiStatus, method: string, path: string) {
    super(status.message ?? `${method} ${path}: ${status.code}`)
    this.status = status
    this.method = method
    this.path = path
  }
}

export class Api {
  readonly access: Access
  readonly #identities: IdentitySource
  readonly #agents = new Map<string, Agent | PlainAgent>()

  constructor(access: Access, identities: IdentitySource) {
    this.access = access
    this.#identities = identities
  }

  /** @throws ApiError what the server refuses; TransportError when there is no answer */
  async ask<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
    const text = await this.askText(method, path, ask)
    return JSON.parse(text) as T
  }

  async askText(method: string, path: string, ask: Ask = {}): Promise<string> {
    const response = await this.open(method, path, ask)
    return (await bytesOf(response, path)).toString('utf8')
  }

  async askBytes(path: string, ask: Ask = {}): Promise<Buffer> {
    return bytesOf(await this.open('GET', path, ask), path)
  }

  /** The answer while it comes in: of a watch, or a log. */
  async open(method: string, path: string, ask: Ask = {}): Promise<IncomingMessage> {
    for (let again = false; ; again = true) {
      const response = await this.#send(method, path, ask)
      const { statusCode = 0 } = response
      if (statusCode >= 200 && statusCode < 300) return response
      const text = (await bytesOf(response, path)).toString('utf8')
      // What it knew us by has run out, perhaps.
      if (statusCode === 401 && !again && this.#identities.forget()) continue
      const status = statusOf(statusCode, text)
      // It passes: whoever waits tries again.
      if (statusCode === 429 || statusCode >= 500) throw refusalOf(status, `${method} ${path}`)
      throw new ApiError(status, method, path)
    }
  }

  /** Lines of JSON, as a watch has them. Ends when the server ends it; throws when it is cut off. */
  async *lines(path: string, ask: Ask): AsyncGenerator<unknown, void, void> {
    const response = await this.open('GET', path, ask)
    const decoder = new StringDecoder('utf8')
    let rest = ''
    try {
      for await (const part of response) {
        const lines = (rest + decoder.write(part as Buffer)).split('\n')
        rest = lines.pop()!
        for (const line of lines) if (line !== '') yield JSON.parse(line)
      }
    } catch (error) {
      throw ask.signal?.aborted ? error : unreachable(this.access.server, error)
    } finally {
      response.destroy()
    }
  }

  /** How a WebSocket is opened there. */
  async socketOptions(
    path: string,
  ): Promise<{ url: string; options: RequestOptions & { rejectUnauthorized: boolean } }> {
    const identity = await this.#identities.get(Date.now())
    const url = `${this.access.server.replace(/^http/, 'ws')}${path}`
    return { url, options: { ...this.#tls(identity), headers: headersOf(identity) } }
  }

  #tls({ certificate, key }: Identity) {
    const { authority, insecure, serverName, server } = this.access
    return {
      rejectUnauthorized: !insecure,
      ...(authority === undefined ? {} : { ca: authority }),
      ...(certificate === undefined ? {} : { cert: certificate, key: key! }),
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(server.startsWith('https:') ? {} : { rejectUnauthorized: false }),
    }
  }

  #agent(identity: Identity): Agent | PlainAgent {
    const name = identity.certificate ?? ''
    const known = this.#agents.get(name)
    if (known) return known
    const options = { keepAlive: true, maxSockets: 32, scheduling: 'lifo' } as const
    const agent = this.access.server.startsWith('https:')
      ? new Agent({ ...options, ...this.#tls(identity) })
      : new PlainAgent(options)
    this.#agents.set(name, agent)
    return agent
  }

  async #send(method: string, path: string, ask: Ask): Promise<IncomingMessage> {
    const { query = {}, body, type = 'application/json', signal, timeoutMs = answerMs } = ask
    const identity = await this.#identities.get(Date.now())
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) search.append(name, String(value))
    const url = `${this.access.server}${path}${search.size > 0 ? `?${search}` : ''}`
    const text = body === undefined ? '' : JSON.stringify(body)
    const headers = {
      ...headersOf(identity),
      accept: 'application/json, */*',
      'content-type': type,
      // Also of a DELETE: what a connection carries after one without it is answered 400.
      'content-length': Buffer.byteLength(text),
    }
    const send = url.startsWith('https:') ? request : plainRequest
    return new Promise((resolve, reject) => {
      const sent = send(url, { method, headers, agent: this.#agent(identity) })
      const stop = () => sent.destroy()
      if (signal?.aborted) stop()
      signal?.addEventListener('abort', stop)
      sent.on('close', () => signal?.removeEventListener('abort', stop))
      sent.setTimeout(timeoutMs, () => sent.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
      sent.on('response', (response) => {
        // Whoever reads it is told; after that, an abort has nobody to tell.
        response.on('error', () => {})
        resolve(response)
      })
      sent.on('error', (error) => reject(unreachable(this.access.server, error)))
      sent.end(text)
    })
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy()
  }
}

function headersOf({ authorization }: Identity): Record<string, string> {
  return { 'user-agent': 'farcall', ...(authorization === undefined ? {} : { authorization }) }
}

async function bytesOf(response: IncomingMessage, path: string): Promise<Buffer> {
  const parts: Buffer[] = []
  try {
    for await (const part of response) parts.push(part as Buffer)
  } catch (cause) {
    throw new TransportError('CONNECTION_LOST', `the answer to ${path} was cut off`, {
      cause,
      transient: true,
    })
  }
  return Buffer.concat(parts)
}

export function statusOf(code: number, text: string): ApiStatus {
  try {
    const status = JSON.parse(text) as ApiStatus
    if (status.kind === 'Status') return { ...status, code }
  } catch {
    // A proxy's answer, perhaps: its words will do.
  }
  return { kind: 'Status', code, message: text.trim().slice(0, 500) || `HTTP ${code}` }
}

/** What the server refuses, as an error for people. */
export function explained(error: unknown, what: string): unknown {
  return error instanceof ApiError ? refusalOf(error.status, what) : error
}
