import { fileFailed } from './failures.ts'
import type { ScriptInput, ScriptResult } from './shell-channel.ts'
import type { BulkSession } from './ssh-bulk.ts'
import type { Link, Links } from './ssh-link.ts'
import { runScript } from './ssh-script.ts'
import type { ExecOptions } from './transport.ts'

/** For one file call; a file system that hangs longer is an error. */
export const fileTimeoutMs = 120_000

/** What one call has to work with: a link that stands, and its two ways to the other side. */
export interface Session {
  readonly link: Link
  run(
    script: string,
    stdin: ScriptInput,
    label: readonly string[],
    options?: ExecOptions,
  ): Promise<ScriptResult>
  /** SFTP beside the shells. Undefined: the server gives no further session (MaxSessions 1), or has none. */
  bulk(): Promise<BulkSession | undefined>
}

export interface SessionOptions {
  readonly links: Links
  readonly link: Link
  /** Aborts when the transport is disposed of. */
  readonly closing: AbortSignal
  /** Counts the answers waited for. */
  onTrip(count: number): void
}

export function createSession({ links, link, closing, onTrip }: SessionOptions): Session {
  const { connection, pool } = link
  return {
    link,
    run(script, stdin, label, options = {}) {
      if (!options.signal?.aborted) onTrip(1)
      const timeoutMs = options.timeoutMs ?? fileTimeoutMs
      const signal = options.signal ? AbortSignal.any([options.signal, closing]) : closing
      return runScript(links, link, script, stdin, label, { ...options, timeoutMs, signal })
    },
    async bulk() {
      const session = await connection.openBulk(onTrip)
      if (session || !(await pool.giveOne())) return session
      return connection.openBulk(onTrip)
    },
  }
}

export function succeed(result: ScriptResult, verb: string, path: string): ScriptResult {
  if (result.exitCode === 0) return result
  throw fileFailed(verb, path, result.stderr.toString('utf8').trim() || `exit code ${result.exitCode}`)
}
