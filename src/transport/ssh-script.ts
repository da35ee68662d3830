import { FarcallError } from '../core/errors.ts'
import { ChannelRefused } from './connection.ts'
import { commandTimeout } from './failures.ts'
import type { ScriptInput, ScriptResult } from './shell-channel.ts'
import { killScript, type RunningScript } from './shell-pool.ts'
import type { Link, Links } from './ssh-link.ts'
import type { ExecOptions } from './transport.ts'

const nothing = new Uint8Array()

/** Runs a script; gives up after a time or when told to, and then ends all that it started. */
export function runScript(
  links: Links,
  { pool, connection }: Link,
  script: string,
  stdin: ScriptInput,
  label: readonly string[],
  { signal, timeoutMs, onStdout }: ExecOptions & { timeoutMs: number },
): Promise<ScriptResult> {
  if (signal?.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    let running: RunningScript | undefined
    let over: { reason: unknown } | undefined
    const end = async (reason: unknown) => {
      if (over) return
      over = { reason }
      if (running) {
        const { pid } = running.channel
        try {
          await pool.end(running).catch((error: unknown) => {
            if (!(error instanceof ChannelRefused)) throw error
            return endFromOutside(links, connection, pid)
          })
        } catch (error) {
          // The connection went meanwhile, or none can be made: the reason for giving up is what the caller has to know.
          if (!(error instanceof FarcallError || error instanceof ChannelRefused)) return reject(error)
        }
      }
      reject(reason)
    }
    const onAbort = () => void end(signal?.reason)
    const timer = setTimeout(() => void end(commandTimeout(label, timeoutMs)), timeoutMs).unref()
    signal?.addEventListener('abort', onAbort, { once: true })
    pool
      .run(
        script,
        stdin,
        (taken) => {
          // it gave up while it waited for a shell: nothing is to run any more
          if (over) throw over.reason
          running = taken
        },
        onStdout,
      )
      .then(
        (result) => over || resolve(result),
        (error) => over || reject(error),
      )
      .finally(() => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      })
  })
}

/**
 * Neither signals nor a second session: the one session stays taken as long as the command runs, so it is ended
 * from a new connection. Nothing else can be pending on a connection with one session.
 */
async function endFromOutside(links: Links, connection: Link['connection'], pid: number): Promise<void> {
  connection.drop()
  const { pool } = await links.get()
  await pool.run(killScript(pid), nothing)
}
