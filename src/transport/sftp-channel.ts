import type { Client, SFTPWrapper } from 'ssh2'
import { TransportError } from '../core/errors.ts'
import { createLifeline, type Lifeline } from './connection.ts'

/** One SFTP session of a connection. It may end while the connection stands. */
export interface SftpChannel extends Pick<Lifeline, 'lost'> {
  readonly sftp: SFTPWrapper
  /** One request; rejected as transient when the channel goes before its answer. */
  call<T>(start: (done: Done<T>) => void): Promise<T>
}

type Done<T> = (error: Error | null | undefined, value?: T) => void

export interface SftpChannels {
  /** The one that stands, or a new one. Undefined: the server gives none. */
  current(onOpen: () => void): Promise<SftpChannel | undefined>
}

export interface SftpChannelsOptions {
  /** For messages. */
  readonly name: string
  readonly client: Client
  readonly lifeline: Lifeline
  /** Whether the server said no, to a connection that stands. */
  isRefusal(error: Error): boolean
}

export function createSftpChannels(options: SftpChannelsOptions): SftpChannels {
  let opening: Promise<SftpChannel | undefined> | undefined
  const forget = (attempt: Promise<SftpChannel | undefined>) => {
    if (opening === attempt) opening = undefined
  }
  return {
    current(onOpen) {
      if (opening) return opening
      onOpen()
      const attempt: Promise<SftpChannel | undefined> = openChannel(options, () => forget(attempt))
      opening = attempt
      attempt.then(
        (channel) => (channel && !channel.lost ? undefined : forget(attempt)),
        () => forget(attempt),
      )
      return attempt
    },
  }
}

async function openChannel(
  { name, client, lifeline, isRefusal }: SftpChannelsOptions,
  onEnd: () => void,
): Promise<SftpChannel | undefined> {
  let sftp: SFTPWrapper
  try {
    sftp = await lifeline.guard<SFTPWrapper>((resolve, reject) =>
      client.sftp((error, opened) => (error ? reject(error) : resolve(opened))),
    )
  } catch (error) {
    if (!lifeline.lost && isRefusal(error as Error)) return undefined
    throw error
  }
  // Its own line: when only this channel ends, ssh2 settles what is pending with words of its own, and what comes later never.
  const own = createLifeline()
  const lose = (cause?: Error) => {
    onEnd()
    own.lose(lifeline.lost ?? sftpEnded(name, cause))
    sftp.end() // without it the server keeps the session
  }
  lifeline.onLost(() => lose())
  sftp.setMaxListeners(0)
  sftp.on('error', lose)
  sftp.on('end', () => lose())
  sftp.on('close', () => lose())
  return {
    sftp,
    get lost() {
      return own.lost
    },
    call: (start) =>
      own.guard((resolve, reject) =>
        start((error, value) => {
          if (!error) return resolve(value as never)
          // the server answers with a number; all else is ssh2's word for a channel that is of no more use
          if (typeof (error as { code?: unknown }).code !== 'number') lose(error)
          reject(error)
        }),
      ),
  }
}

function sftpEnded(name: string, cause?: Error): TransportError {
  const why = cause ? `: ${cause.message}` : ''
  return new TransportError('CONNECTION_LOST', `${name}: the server's SFTP process ended${why}`, {
    hint: 'the connection stands; the next call opens SFTP again',
    cause,
    transient: true,
  })
}
