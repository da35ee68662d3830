import { version } from '../../core/version.ts'

/** One request, with its secrets: it goes into no message. */
export interface Parcel {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** `why` names no URL. `afterMs`: when the server wants to be asked again. */
export type Answer =
  | { readonly kind: 'taken' }
  | { readonly kind: 'later'; readonly why: string; readonly afterMs?: number }
  | { readonly kind: 'refused'; readonly why: string }

/** Whoever goes on after that has a request that hangs. */
const timeoutMs = 5_000

/**
 * Sends it once. No redirect is followed: it would carry the headers, and what they hold, to a host that nobody named.
 */
export async function post(parcel: Parcel, signal: AbortSignal, now: () => number): Promise<Answer> {
  const { url, method, headers, body } = parcel
  let response: Response
  try {
    response = await fetch(url, {
      method,
      body,
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      headers: { 'user-agent': `farcall/${version}`, ...headers },
    })
  } catch (error) {
    return { kind: 'later', why: networkWords(error) }
  }
  const answer = read(response, now)
  // The connection is free for the next one; what the server said beside is not needed.
  await response.body?.cancel().catch(() => undefined)
  return answer
}

function read(response: Response, now: () => number): Answer {
  const { status } = response
  if (response.ok) return { kind: 'taken' }
  if (status === 429 || status >= 500) {
    const afterMs = retryAfter(response.headers.get('retry-after'), now())
    return { kind: 'later', why: `it answers ${status}`, ...(afterMs === undefined ? {} : { afterMs }) }
  }
  const redirected = status >= 300 && status < 400
  return {
    kind: 'refused',
    why: redirected
      ? `it answers ${status}, a redirect, which is not followed: name the address that it leads to`
      : `it answers ${status}`,
  }
}

/** Seconds, or a date (RFC 9110, 10.2.3). */
export function retryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** Messages of fetch may quote the URL; codes do not. */
function networkWords(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: unknown } }
  if (name === 'TimeoutError') return `it does not answer within ${timeoutMs / 1000} s`
  if (name === 'AbortError') return 'it was not waited for any longer'
  const code = cause?.code
  return typeof code === 'string' ? `it cannot be reached (${code})` : 'it cannot be reached'
}
