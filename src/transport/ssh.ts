import { setMaxListeners } from 'node:events'
import { TransportError } from '../core/errors.ts'
import type { Profile } from '../core/profile.ts'
import { type Command, type CommandResult, shellJoin } from '../core/shell.ts'
import { ChannelRefused, createLifeline } from './connection.ts'
import { brief, connectionClosed, defaultTimeoutMs, fileFailed } from './failures.ts'
import { terminalCommand } from './shell-loop.ts'
import { openShellPipe } from './shell-pipe.ts'
import {
  listScript,
  parseList,
  parseStat,
  removeScript,
  safePath,
  saysMissing,
  statScript,
} from './ssh-files.ts'
import { getFile } from './ssh-get.ts'
import { createLinks, type LogIn, type SshSettings } from './ssh-link.ts'
import { logIn } from './ssh-login.ts'
import { putFiles, sizeOf } from './ssh-put.ts'
import { createSession, type Session, succeed } from './ssh-session.ts'
import type { ExecOptions, Transport } from './transport.ts'
import { openTunnel } from './tunnel.ts'

const nothing = new Uint8Array()

/**
 * One ssh connection to the profile's host, opened when first used and again after it was lost.
 * Commands go over shells that stay open, one round trip each; large files over SFTP on the same connection.
 */
export function createSshTransport(
  profile: Profile & { host: string },
  settings: SshSettings = {},
  how: LogIn = logIn,
): Transport {
  const links = createLinks(profile, settings, how)
  const { guard, lose } = createLifeline()
  const closing = new AbortController()
  setMaxListeners(0, closing.signal) // one for each script that runs
  let referenced = true
  let working = 0
  let roundTrips = 0

  const hold = () => links.hold(referenced && working > 0)

  const work = async <T>(action: (session: Session) => Promise<T>): Promise<T> => {
    working++
    hold()
    try {
      // the connection may outlive this transport: others use it
      return await guard<T>((resolve, reject) => {
        links
          .get()
          .then((link) => {
            const onTrip = (trips: number) => {
              roundTrips += trips
            }
            return action(createSession({ links, link, closing: closing.signal, onTrip }))
          })
          .then(resolve, reject)
      })
    } catch (error) {
      if (error instanceof ChannelRefused)
        throw new TransportError(
          'LOGIN_REFUSED',
          `${links.name}: the server opens no session (${error.message})`,
          {
            hint: 'the account may be closed for shells, or limited to fewer sessions (MaxSessions)',
            cause: error,
          },
        )
      throw error
    } finally {
      working--
      hold()
    }
  }

  return {
    get name() {
      return links.name
    },
    get concurrency() {
      return links.current?.pool.limit ?? 4
    },
    get roundTrips() {
      return roundTrips
    },
    open: () => work(async () => {}),
    exec(command: Command, options: ExecOptions = {}): Promise<CommandResult> {
      return work(async (session) => {
        if (!command.argv[0]) throw new TransportError('COMMAND_FAILED', 'a command needs at least one word')
        const stdin =
          typeof command.stdin === 'string' ? Buffer.from(command.stdin) : (command.stdin ?? nothing)
        const timed = { ...options, timeoutMs: options.timeoutMs ?? defaultTimeoutMs }
        // exec: the program and not a builtin of that name; and one process less
        const script = `exec ${shellJoin(command.argv)}`
        const { exitCode, stdout, stderr } = await session.run(script, stdin, command.argv, timed)
        return { exitCode, stdout, stderr: stderr.toString('utf8') }
      })
    },
    pipe: (argv, use) =>
      work(async ({ link }) => {
        const open = () => openShellPipe(link.connection, argv)
        const channel = await open().catch(async (error: unknown) => {
          if (error instanceof ChannelRefused && (await link.pool.giveOne())) return open()
          throw error
        })
        const ended = new Promise<number | undefined>((resolve) => channel.onClosed(resolve))
        try {
          const { stdin, stdout, stderr } = channel
          return await link.connection.guard<Awaited<ReturnType<typeof use>>>((resolve, reject) => {
            use({ stdin, stdout, stderr, ended }).then((value) => resolve(value as never), reject)
          })
        } finally {
          channel.close()
        }
      }),
    async put(files) {
      if (files.length === 0) return
      const sized = await Promise.all(files.map(sizeOf))
      await work((session) => putFiles(session, sized))
    },
    get: (path, range) => work((session) => getFile(session, path, range)),
    list(directory) {
      return work(async (session) => {
        const result = await session.run(listScript(directory), nothing, ['list', directory])
        if (result.exitCode !== 0 && saysMissing(result.stderr.toString('utf8'))) return []
        return parseList(succeed(result, 'list', directory).stdout)
      })
    },
    stat(path) {
      return work(async (session) => {
        const result = await session.run(statScript(path), nothing, ['stat', path])
        if (result.exitCode !== 0 && saysMissing(result.stderr.toString('utf8'))) return undefined
        const text = succeed(result, 'stat', path).stdout.toString('latin1')
        const found = parseStat(text)
        if (!found) throw fileFailed('stat', path, `unexpected answer ${brief([text])}`)
        return found
      })
    },
    async remove(paths) {
      if (paths.length === 0) return
      await work(async (session) => {
        const input = Buffer.from(paths.map((path) => `${safePath(path)}\0`).join(''))
        const result = await session.run(removeScript, input, ['remove', ...paths])
        succeed(result, 'remove', paths.length === 1 ? String(paths[0]) : `${paths.length} paths`)
      })
    },
    interactive: (argv) => work(({ link }) => link.connection.runOnTerminal(argv && terminalCommand(argv))),
    async tunnel({ host, port }, options = {}) {
      await work(async () => {})
      return openTunnel(() => work(({ link }) => link.connection.dial(host, port)), options.port)
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
      const error = connectionClosed(links.name)
      lose(error)
      // what still runs for us alone is ended; with the last user the connection itself goes
      if (!(await links.close())) closing.abort(error)
    },
  }
}
