/** A command in a container, by a WebSocket (v4.channel.k8s.io: the first byte of each message says which stream it is of). */
import WebSocket from 'ws'
import { TransportError } from '../../core/errors.ts'
import { type Api, ApiError, statusOf } from './api.ts'
import { refusalOf, unreachable } from './failures.ts'
import { podPath } from './names.ts'

export interface ExecTarget {
  readonly namespace: string
  readonly pod: string
  readonly container: string
}

export interface ExecOptions {
  /**
   * What it reads. It must know by itself how much that is: there is no way to say that no more comes, and what closes
   * the connection early cuts off what was sent.
   */
  readonly stdin?: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  /** Its stdin stays open, and ends when the connection does: so it learns that nobody listens any more. */
  readonly holdsStdin?: boolean
  /** Takes stdout as it comes; what it returns is waited for. Without it stdout is gathered. */
  readonly onOutput?: (bytes: Buffer) => Promise<void> | void
  readonly signal?: AbortSignal
}

export interface ExecResult {
  readonly exitCode: number
  readonly stdout: Buffer
  readonly stderr: string
}

const [input, output, errors, status] = [0, 1, 2, 3]
/** Of one message. */
const pieceSize = 128 * 1024
/** So much may wait to be sent. */
const mostWaiting = 4 * 2 ** 20
/** Without a sign of life for so long it is over. */
const silenceMs = 120_000

export async function execIn(
  api: Api,
  target: ExecTarget,
  argv: readonly string[],
  { stdin, holdsStdin = false, onOutput, signal }: ExecOptions = {},
): Promise<ExecResult> {
  const query = new URLSearchParams({ container: target.container, stdout: 'true', stderr: 'true' })
  if (stdin || holdsStdin) query.set('stdin', 'true')
  for (const word of argv) query.append('command', word)
  const path = `${podPath(target.namespace, target.pod)}/exec`
  const { url, options } = await api.socketOptions(`${path}?${query}`)
  signal?.throwIfAborted()
  const socket = new WebSocket(url, ['v4.channel.k8s.io'], {
    ...options,
    perMessageDeflate: false,
    maxPayload: 2 ** 28,
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  let said: ExecStatus | undefined
  let taking: Promise<void> = Promise.resolve()
  const ended = new Promise<void>((resolve, reject) => {
    let alive = Date.now()
    const looking = setInterval(() => {
      if (Date.now() - alive > silenceMs) socket.terminate()
      else if (socket.readyState === WebSocket.OPEN) socket.ping()
    }, silenceMs / 4)
    const finish = (error?: unknown) => {
      clearInterval(looking)
      signal?.removeEventListener('abort', stop)
      if (error === undefined) resolve()
      else reject(error)
    }
    const stop = () => {
      socket.terminate()
      finish(signal?.reason)
    }
    signal?.addEventListener('abort', stop)
    socket.on('unexpected-response', (_, response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () => {
        const code = response.statusCode ?? 500
        const text = Buffer.concat(parts).toString('utf8')
        const answer = statusOf(code, text)
        // 500 is what a container that is over answers, too.
        const passes = [429, 502, 503, 504].includes(code)
        finish(passes ? refusalOf(answer, `a command in ${target.pod}`) : new ApiError(answer, 'GET', path))
      })
    })
    socket.on('error', (error) => finish(unreachable(api.access.server, error)))
    socket.on('pong', () => {
      alive = Date.now()
    })
    socket.on('message', (data: Buffer) => {
      alive = Date.now()
      const [channel, bytes] = [data[0], data.subarray(1)]
      if (bytes.length === 0) return
      if (channel === errors) stderr.push(bytes)
      if (channel === status) said = JSON.parse(bytes.toString('utf8')) as ExecStatus
      if (channel !== output) return
      if (!onOutput) {
        stdout.push(bytes)
        return
      }
      socket.pause()
      taking = taking.then(() => onOutput(bytes)).then(() => socket.resume())
      taking.catch(finish)
    })
    socket.on('close', () => finish())
  })
  ended.catch(() => {}) // waited for below, after what is sent
  const sending = stdin ? send(socket, stdin, ended) : Promise.resolve()
  try {
    await Promise.all([ended, sending.catch((error) => (said ? undefined : Promise.reject(error)))])
    await taking
  } finally {
    // Where this end failed the other one waits, and the connection would hold this process.
    socket.terminate()
  }
  if (!said)
    throw new TransportError('CONNECTION_LOST', `the connection to ${target.pod} was cut off`, {
      transient: true,
    })
  return {
    exitCode: exitCodeOf(said),
    stdout: Buffer.concat(stdout),
    stderr: Buffer.concat(stderr).toString('utf8'),
  }
}

async function send(
  socket: WebSocket,
  stdin: NonNullable<ExecOptions['stdin']>,
  ended: Promise<void>,
): Promise<void> {
  const over = ended.then(
    () => 'over' as const,
    () => 'over' as const,
  )
  const opened = new Promise<void>((resolve) => socket.once('open', () => resolve()))
  if ((await Promise.race([opened, over])) === 'over') return
  for await (const bytes of stdin) {
    for (let at = 0; at < bytes.byteLength; at += pieceSize) {
      const piece = bytes.subarray(at, at + pieceSize)
      const sent = new Promise<void>((resolve, reject) =>
        socket.send(Buffer.concat([Buffer.of(input), piece]), (error) => (error ? reject(error) : resolve())),
      )
      sent.catch(() => {}) // the socket's own error says why
      if (socket.bufferedAmount > mostWaiting && (await Promise.race([sent, over])) === 'over') return
      if (socket.readyState !== WebSocket.OPEN) return
    }
  }
}

interface ExecStatus {
  readonly status: 'Success' | 'Failure'
  readonly message?: string
  readonly details?: { readonly causes?: readonly { readonly reason: string; readonly message: string }[] }
}

function exitCodeOf({ status, details, message }: ExecStatus): number {
  if (status === 'Success') return 0
  const code = details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message
  if (code !== undefined) return Number(code)
  throw new TransportError(
    'COMMAND_FAILED',
    `a command could not be run in the pod: ${message ?? 'without a word'}`,
    // Its container has ended just now, mostly.
    { transient: true },
  )
}
