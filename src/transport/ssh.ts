import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { ConfigError, FarcallError, TransportError } from '../core/errors.ts'
import type { Profile } from '../core/profile.ts'
import { type Command, type CommandResult, shellJoin } from '../core/shell.ts'
import { brief, commandTimeout, connectionClosed, defaultTimeoutMs, fileFailed } from './failures.ts'
import { openShellChannel, type ScriptInput, type ScriptResult, type ShellChannel } from './shell-channel.ts'
import { createShellPool, killScript, type ShellPool } from './shell-pool.ts'
import { createLoginAttempts } from './ssh-auth.ts'
import { type BulkSession, openBulkSession } from './ssh-bulk.ts'
import { resolveTarget } from './ssh-config.ts'
import { ChannelRefused, type Connection, connect } from './ssh-connection.ts'
import {
  discardScript,
  finishScript,
  getScript,
  listScript,
  makeFoldersScript,
  parseList,
  parseStat,
  putEnd,
  putScript,
  readScript,
  removeScript,
  safePath,
  saysMissing,
  stage,
  statScript,
} from './ssh-files.ts'
import { createHostKeyCheck } from './ssh-host-key.ts'
import type { ExecOptions, FileToPut, Transport } from './transport.ts'

/** Files up to this size together travel with one command. */
const smallPut = 256 * 1024
/** A file up to this size comes with the command that asks for it. */
const smallGet = 1024 * 1024
/** For one file call; a file system that hangs longer is an error. */
const fileTimeoutMs = 120_000

const nothing = new Uint8Array()

export interface SshSettings {
  connectTimeoutMs?: number
  keepaliveMs?: number
}

/**
 * One ssh connection to the profile's host, opened when first used and again after it was lost.
 * Commands go over shells that stay open, one round trip each; large files over SFTP on the same connection.
 */
export function createSshTransport(
  profile: Profile & { host: string },
  settings: SshSettings = {},
): Transport {
  // until ~/.ssh/config was asked, which the first connection does
  let name = `${profile.user ? `${profile.user}@` : ''}${profile.host}:${profile.port ?? 22}`
  interface Link {
    connection: Connection
    pool: ShellPool
  }
  let link: Promise<Link> | undefined
  let current: Link | undefined
  let disposed = false
  let referenced = true
  let working = 0
  let roundTrips = 0

  const hold = () => {
    if (referenced && working > 0) current?.connection.ref()
    else current?.connection.unref()
  }

  const openLink = async (): Promise<Link> => {
    const target = await resolveTarget(profile)
    const { host, port, user } = target
    name = `${user}@${host}:${port}`
    const policy = profile.hostKey ?? 'strict'
    const connection = await connect({
      name,
      host,
      port,
      user,
      attempts: createLoginAttempts(target, profile),
      hostKey: createHostKeyCheck({ host, port, policy, files: target.knownHosts }),
      connectTimeoutMs: settings.connectTimeoutMs ?? 20_000,
      keepaliveMs: settings.keepaliveMs ?? 15_000,
    })
    const pool = createShellPool(() => openShellChannel(connection, name))
    const opened = { connection, pool }
    current = opened
    connection.onLost(() => {
      if (current !== opened) return
      current = undefined
      link = undefined
    })
    if (disposed) await connection.close()
    hold()
    return opened
  }

  /** The link that stands, or a new one; a connection that fails is tried again by the next call. */
  const linked = (): Promise<Link> => {
    if (disposed) return Promise.reject(connectionClosed(name))
    if (!link) {
      const attempt = openLink()
      link = attempt
      attempt.catch(() => {
        if (link === attempt) link = undefined
      })
    }
    return link
  }

  const work = async <T>(action: (link: Link) => Promise<T>): Promise<T> => {
    working++
    hold()
    try {
      return await action(await linked())
    } catch (error) {
      if (error instanceof ChannelRefused)
        throw new TransportError('LOGIN_REFUSED', `${name}: the server opens no session (${error.message})`, {
          hint: 'the account may be closed for shells, or limited to fewer sessions (MaxSessions)',
          cause: error,
        })
      throw error
    } finally {
      working--
      hold()
    }
  }

  /**
   * Neither signals nor a second session: the one session stays taken as long as the command runs, so it is ended
   * from a new connection. Nothing else can be pending on a connection with one session.
   */
  const endFromOutside = async (connection: Connection, pid: number) => {
    connection.drop()
    const { pool } = await linked()
    await pool.run(killScript(pid), nothing)
  }

  /** Runs a script; gives up after a time or when told to, and then ends all that it started. */
  const run = (
    { pool, connection }: Link,
    script: string,
    stdin: ScriptInput,
    label: readonly string[],
    options: ExecOptions = {},
  ): Promise<ScriptResult> => {
    const { signal, timeoutMs = fileTimeoutMs } = options
    if (signal?.aborted) return Promise.reject(signal.reason)
    roundTrips++
    return new Promise((resolve, reject) => {
      let channel: ShellChannel | undefined
      let over: { reason: unknown } | undefined
      const end = async (reason: unknown) => {
        if (over) return
        over = { reason }
        if (channel) {
          try {
            await pool.end(channel)
          } catch (error) {
            if (error instanceof ChannelRefused) await endFromOutside(connection, channel.pid)
            // else the connection went meanwhile; the reason for giving up is what the caller has to know
            else if (!(error instanceof FarcallError)) return reject(error)
          }
        }
        reject(reason)
      }
      const onAbort = () => void end(signal?.reason)
      const timer = setTimeout(() => void end(commandTimeout(label, timeoutMs)), timeoutMs).unref()
      signal?.addEventListener('abort', onAbort, { once: true })
      pool
        .run(script, stdin, (taken) => {
          // it gave up while it waited for a shell: nothing is to run any more
          if (over) throw over.reason
          channel = taken
        })
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

  const bulkSession = async (taken: Link): Promise<BulkSession | undefined> => {
    const count = (trips: number) => {
      roundTrips += trips
    }
    const session = await openBulkSession(taken.connection, count)
    if (session || !(await taken.pool.giveOne())) return session
    return openBulkSession(taken.connection, count)
  }

  const succeed = (result: ScriptResult, verb: string, path: string): ScriptResult => {
    if (result.exitCode === 0) return result
    throw fileFailed(verb, path, result.stderr.toString('utf8').trim() || `exit code ${result.exitCode}`)
  }

  const putSmall = async (taken: Link, files: readonly Sized[]) => {
    const staged = files.map((file) => stage(file.path, file.size, file.mode))
    const contents = await Promise.all(
      files.map(async ({ content, path, size }) => {
        if (content instanceof Uint8Array) return content
        const bytes = await readFile(content.localPath)
        if (bytes.length !== size) throw fileFailed('write', path, `${content.localPath} changed meanwhile`)
        return bytes
      }),
    )
    const input = Buffer.concat([...contents, putEnd])
    succeed(
      await run(taken, putScript(staged), input, ['put', ...files.map((file) => file.path)]),
      'write',
      paths(files),
    )
  }

  const putLarge = async (taken: Link, file: Sized) => {
    const staged = stage(file.path, file.size, file.mode)
    const label = ['put', file.path]
    const options = { timeoutMs: fileTimeoutMs + file.size / 50 } // 50 kB/s at the very least
    const session = await bulkSession(taken)
    if (!session) {
      // no second session beside the shell (MaxSessions 1), or no SFTP: the shell takes it, as a stream
      const input = { size: file.size + putEnd.length, chunks: chunksOf(file.content) }
      succeed(await run(taken, putScript([staged]), input, label, options), 'write', file.path)
      return
    }
    succeed(await run(taken, makeFoldersScript([staged]), nothing, label), 'write', file.path)
    try {
      await session.write(staged.temporary, file.content, file.size)
    } catch (error) {
      if (taken.connection.lost) throw taken.connection.lost
      await run(taken, discardScript(staged), nothing, label)
      throw fileFailed('write', file.path, (error as Error).message, error)
    }
    succeed(await run(taken, finishScript(staged), nothing, label), 'write', file.path)
  }

  return {
    get name() {
      return name
    },
    get concurrency() {
      return current?.pool.limit ?? 4
    },
    get roundTrips() {
      return roundTrips
    },
    open: () => work(async () => {}),
    exec(command: Command, options: ExecOptions = {}): Promise<CommandResult> {
      return work(async (taken) => {
        if (!command.argv[0]) throw new TransportError('COMMAND_FAILED', 'a command needs at least one word')
        const stdin =
          typeof command.stdin === 'string' ? Buffer.from(command.stdin) : (command.stdin ?? nothing)
        const timed = { ...options, timeoutMs: options.timeoutMs ?? defaultTimeoutMs }
        // exec: the program and not a builtin of that name; and one process less
        const script = `exec ${shellJoin(command.argv)}`
        const { exitCode, stdout, stderr } = await run(taken, script, stdin, command.argv, timed)
        return { exitCode, stdout, stderr: stderr.toString('utf8') }
      })
    },
    async put(files) {
      if (files.length === 0) return
      const sized = await Promise.all(files.map(sizeOf))
      await work(async (taken) => {
        const small: Sized[] = []
        let sum = 0
        for (const file of [...sized].sort((a, b) => a.size - b.size)) {
          sum += file.size
          if (sum <= smallPut) small.push(file)
          else await putLarge(taken, file)
        }
        if (small.length > 0) await putSmall(taken, small)
      })
    },
    get(path, range) {
      const from = range?.from ?? 0
      return work(async (taken) => {
        const label = ['get', path]
        const result = await run(taken, getScript(path, from, range?.length, smallGet), nothing, label)
        if (result.exitCode !== 0 && saysMissing(result.stderr.toString('utf8'))) return undefined
        const { stdout } = succeed(result, 'read', path)
        const line = stdout.indexOf(10)
        const size = Number(stdout.toString('latin1', 0, line))
        const want = Math.max(0, Math.min(range?.length ?? Number.POSITIVE_INFINITY, size - from))
        if (want <= smallGet) return stdout.subarray(line + 1)
        const session = await bulkSession(taken)
        if (session) {
          try {
            return await session.read(safePath(path), from, want)
          } catch (error) {
            if (taken.connection.lost) throw taken.connection.lost
            throw fileFailed('read', path, (error as Error).message, error)
          }
        }
        const options = { timeoutMs: fileTimeoutMs + want / 50 }
        return succeed(await run(taken, readScript(path, from, want), nothing, label, options), 'read', path)
          .stdout
      })
    },
    list(directory) {
      return work(async (taken) => {
        const result = await run(taken, listScript(directory), nothing, ['list', directory])
        if (result.exitCode !== 0 && saysMissing(result.stderr.toString('utf8'))) return []
        return parseList(succeed(result, 'list', directory).stdout)
      })
    },
    stat(path) {
      return work(async (taken) => {
        const result = await run(taken, statScript(path), nothing, ['stat', path])
        if (result.exitCode !== 0 && saysMissing(result.stderr.toString('utf8'))) return undefined
        const text = succeed(result, 'stat', path).stdout.toString('latin1')
        const found = parseStat(text)
        if (!found) throw fileFailed('stat', path, `unexpected answer ${brief([text])}`)
        return found
      })
    },
    async remove(paths) {
      if (paths.length === 0) return
      await work(async (taken) => {
        const input = Buffer.from(paths.map((path) => `${safePath(path)}\0`).join(''))
        const result = await run(taken, removeScript, input, ['remove', ...paths])
        succeed(result, 'remove', paths.length === 1 ? String(paths[0]) : `${paths.length} paths`)
      })
    },
    ref() {
      referenced = true
      hold()
    },
    unref() {
      referenced = false
      hold()
    },
    async [Symbol.asyncDispose]() {
      if (disposed) return
      disposed = true
      const last = current
      current = undefined
      await last?.connection.close()
    },
  }
}

interface Sized extends FileToPut {
  readonly size: number
}

async function sizeOf(file: FileToPut): Promise<Sized> {
  if (file.content instanceof Uint8Array) return { ...file, size: file.content.length }
  try {
    return { ...file, size: (await stat(file.content.localPath)).size }
  } catch (error) {
    throw new ConfigError('CONFIG_INVALID', `${file.content.localPath} cannot be read`, {
      hint: 'it was to be sent; check that it exists',
      cause: error,
    })
  }
}

async function* chunksOf(content: FileToPut['content']): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) yield content
  else yield* createReadStream(content.localPath, { highWaterMark: 256 * 1024 })
  yield putEnd
}

function paths(files: readonly FileToPut[]): string {
  return files.map((file) => file.path).join(', ')
}
