import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive, stopProcesses } from './processes.ts'

export interface Daemon {
  readonly name: string
  readonly pid: number
  isUp(): boolean
}

/** The daemons of one cluster: each runs in the foreground as a child of the tests, so its pid is known at once. */
export function daemonGroup(folder: string, env: Readonly<Record<string, string>>) {
  const all: Daemon[] = []
  return {
    start(name: string, command: string, args: readonly string[]): Daemon {
      const out = openSync(join(folder, 'log', `${name}.out`), 'a')
      const child = spawn(command, args, { cwd: '/', detached: true, env, stdio: ['ignore', out, out] })
      closeSync(out)
      child.on('error', () => {}) // its pid is undefined then, which is an error right below
      child.unref()
      const { pid } = child
      if (pid === undefined) throw new Error(`${command} cannot be started`)
      const daemon = { name, pid, isUp: () => isAlive(pid) }
      all.push(daemon)
      return daemon
    },
    /** Ends one, once it has written what it knows; it no longer counts as down. */
    async end(name: string): Promise<void> {
      const at = all.findIndex((daemon) => daemon.name === name)
      if (at < 0) throw new Error(`no daemon ${name}`)
      const [daemon] = all.splice(at, 1)
      await stopProcesses([daemon!.pid], 30_000)
    },
    down: () => all.filter((daemon) => !daemon.isUp()).map((daemon) => daemon.name),
    pids: () => all.map((daemon) => daemon.pid),
    stop: (patience: number) =>
      stopProcesses(
        all.map((daemon) => daemon.pid),
        patience,
      ),
  }
}
