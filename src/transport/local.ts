import { setMaxListeners } from 'node:events'
import { connect } from 'node:net'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import type { Command, CommandResult } from '../core/shell.ts'
import { getFile, listFolder, putFile, removeAll, statFile } from './local-files.ts'
import { runOnTerminal, runProcess } from './local-process.ts'
import { spawnPiped } from './spawn-piped.ts'
import type { ExecOptions, FileToPut, Transport } from './transport.ts'
import { openTunnel } from './tunnel.ts'

/**
 * Runs commands and keeps files on this machine. Relative paths and commands start in the home folder, as they
 * do over ssh. A "round trip" is one command or one file call.
 */
export function createLocalTransport(options: { home?: string } = {}): Transport {
  const home = options.home ?? homedir()
  const at = (path: string) => resolve(home, path)
  const running = new Set<{ ref(): void; unref(): void }>()
  const abandon = new AbortController()
  setMaxListeners(0, abandon.signal) // one for each command that runs
  let roundTrips = 0
  let referenced = true

  return {
    name: 'local',
    concurrency: 16,
    get roundTrips() {
      return roundTrips
    },
    async open() {},
    exec(command: Command, execOptions: ExecOptions = {}): Promise<CommandResult> {
      roundTrips++
      return runProcess(command, {
        ...execOptions,
        cwd: home,
        closed: abandon.signal,
        onStart(child) {
          running.add(child)
          if (!referenced) child.unref()
          return () => running.delete(child)
        },
      })
    },
    async pipe(argv, use) {
      roundTrips++
      const [file = '', ...args] = argv
      const child = spawnPiped(file, args, { cwd: home, detached: true })
      const { stdin, stdout, stderr } = child
      stdin.on('error', () => {
        // a broken pipe: it has ended, and that is told
      })
      const ended = new Promise<number | undefined>((resolve, reject) => {
        child.on('error', reject).on('close', (code) => resolve(code ?? undefined))
      })
      ended.catch(() => {})
      try {
        return await use({ stdin, stdout, stderr, ended })
      } finally {
        // Where it could not be started, Node would send the signal to all of our own group.
        if (child.pid !== undefined) child.kill()
      }
    },
    async put(files: readonly FileToPut[]) {
      roundTrips++
      for (const file of files) await putFile({ ...file, path: at(file.path) })
    },
    get(path, range) {
      roundTrips++
      return getFile(at(path), range)
    },
    list(directory) {
      roundTrips++
      return listFolder(at(directory))
    },
    stat(path) {
      roundTrips++
      return statFile(at(path))
    },
    remove(paths) {
      roundTrips++
      return removeAll(paths.map(at))
    },
    interactive(argv) {
      const [file = process.env.SHELL ?? '/bin/sh', ...args] = argv ?? []
      return runOnTerminal(file, args, home)
    },
    tunnel: ({ host, port }, options = {}) => openTunnel(async () => connect({ host, port }), options.port),
    ref() {
      referenced = true
      for (const child of running) child.ref()
    },
    unref() {
      referenced = false
      for (const child of running) child.unref()
    },
    async [Symbol.asyncDispose]() {
      abandon.abort()
    },
  }
}
