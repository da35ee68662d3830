import type { Duplex, Readable, Writable } from 'node:stream'
import type { TransportError } from '../core/errors.ts'
import type { BulkSession } from './ssh-bulk.ts'

/** One command at the far end, with its three streams. */
export interface Channel {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /** False: `signal` does nothing. */
  readonly passesSignals: boolean
  /** Asks the far end to signal the command; not every server does. */
  signal(name: 'TERM' | 'KILL'): void
  close(): void
  /** Undefined: it went without an exit code. */
  onClosed(listener: (exitCode: number | undefined) => void): void
}

/** A login that stands, whoever made it: ssh2, or the system's ssh. All that runs at the far end runs over it. */
export interface Connection {
  readonly lost: TransportError | undefined
  /** Runs a call and rejects it when the connection goes, which not every library does by itself. */
  guard<T>(start: (resolve: (value: T) => void, reject: (error: unknown) => void) => void): Promise<T>
  /** Settles once it is known whether it still stands, where something made that doubtful. */
  verify?(): Promise<void>
  /** What the last words of a channel that ended before it began say about the connection. */
  explain?(words: string): Error | undefined
  /** A new session that runs this. @throws ChannelRefused */
  openChannel(command: string): Promise<Channel>
  /** Runs a command, or the login shell, on the terminal of this process; gives its exit code. @throws ChannelRefused */
  runOnTerminal(command: string | undefined): Promise<number>
  /** A stream to a port as the far end reaches it. It takes no session. */
  dial(host: string, port: number): Promise<Duplex>
  /** Undefined: no way for files beside the shells. Counts the answers waited for. */
  openBulk(onTrip: (count: number) => void): Promise<BulkSession | undefined>
  onLost(listener: (error: TransportError) => void): void
  ref(): void
  unref(): void
  /** Gives it up at once; what is pending is rejected with CONNECTION_LOST. */
  drop(): void
  close(): Promise<void>
}

/** The server gives no further session on this connection (MaxSessions). */
export class ChannelRefused extends Error {}

export interface Lifeline extends Pick<Connection, 'lost' | 'guard' | 'onLost'> {
  /** From now on it is lost, for this reason; the first one stays. */
  lose(error: TransportError): void
}

/** Rejects all that is pending once the connection goes, and all that comes later. `explain`: what a library throws of it. */
export function createLifeline(explain = (thrown: unknown): unknown => thrown): Lifeline {
  const pending = new Set<(error: TransportError) => void>()
  const listeners: ((error: TransportError) => void)[] = []
  let lost: TransportError | undefined
  return {
    get lost() {
      return lost
    },
    guard: (start) =>
      new Promise((resolve, reject) => {
        if (lost) return reject(lost)
        pending.add(reject)
        const settle = () => pending.delete(reject)
        try {
          start(
            (value) => {
              settle()
              resolve(value)
            },
            (error) => {
              settle()
              reject(lost ?? error)
            },
          )
        } catch (error) {
          settle()
          reject(lost ?? explain(error))
        }
      }),
    onLost(listener) {
      if (lost) listener(lost)
      else listeners.push(listener)
    },
    lose(error) {
      if (lost) return
      lost = error
      for (const reject of pending) reject(error)
      pending.clear()
      for (const listener of listeners) listener(error)
    },
  }
}
