/** The first two rungs of the way to a host, by themselves: its name, and who answers at its port. */
import { lookup } from 'node:dns/promises'
import { connect, isIP } from 'node:net'

export interface NameAnswer {
  /** All addresses, the one that is tried first in front. Empty: see `failure`. */
  readonly addresses: readonly string[]
  /** Node's code: ENOTFOUND, EAI_AGAIN. */
  readonly failure?: string
  readonly ms: number
}

export async function lookUp(host: string, now = () => performance.now()): Promise<NameAnswer> {
  const begun = now()
  if (isIP(host) !== 0) return { addresses: [host], ms: 0 }
  try {
    const found = await lookup(host, { all: true })
    return { addresses: [...new Set(found.map(({ address }) => address))], ms: now() - begun }
  } catch (error) {
    const failure = (error as NodeJS.ErrnoException).code ?? String(error)
    return { addresses: [], failure, ms: now() - begun }
  }
}

export interface PortAnswer {
  /** The server's first line: 'SSH-2.0-OpenSSH_9.2p1 …'. Undefined: it said nothing. */
  readonly banner?: string
  /** Node's code, or 'silent' (connected, and then not a word), 'closed' (closed without a word), 'timeout'. */
  readonly failure?: string
  /** Until the connection stood. */
  readonly connectMs?: number
  /** Until the first line was there. */
  readonly ms: number
}

/** Connects and waits for the line with which an SSH server begins (RFC 4253, 4.2). Nothing is sent. */
export function knock(
  host: string,
  port: number,
  { timeoutMs = 10_000, now = () => performance.now() } = {},
): Promise<PortAnswer> {
  const begun = now()
  return new Promise((resolve) => {
    let connectMs: number | undefined
    let heard = ''
    const socket = connect({ host, port })
    const answer = (found: { banner?: string; failure?: string }) => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ ...found, ...(connectMs === undefined ? {} : { connectMs }), ms: now() - begun })
    }
    const timer = setTimeout(
      () => answer({ failure: connectMs === undefined ? 'timeout' : 'silent' }),
      timeoutMs,
    )
    socket.on('connect', () => {
      connectMs = now() - begun
    })
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1')
      // A server may say other lines before.
      const line = /^SSH-[^\r\n]*(?=\r?\n)/m.exec(heard)?.[0]
      if (line !== undefined) answer({ banner: line })
      else if (heard.length > 8192) answer({ banner: firstLine(heard) })
    })
    socket.on('error', (error: NodeJS.ErrnoException) => answer({ failure: error.code ?? error.message }))
    socket.on('close', () => answer(heard === '' ? { failure: 'closed' } : { banner: firstLine(heard) }))
  })
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0]!.slice(0, 200)
}
