import { setTimeout as sleep } from 'node:timers/promises'
import { ChannelRefused } from './connection.ts'
import type { ScriptInput, ScriptResult, ShellChannel } from './shell-channel.ts'
import type { ExecOptions } from './transport.ts'

const wanted = 4

/** A script, and the shell that it has for as long as it runs. */
export interface RunningScript {
  readonly channel: ShellChannel
  readonly isOver: boolean
}

export interface ShellPool {
  /** Channels that can be open together, as far as is known. */
  readonly limit: number
  run(
    script: string,
    stdin: ScriptInput,
    onStart?: (running: RunningScript) => void,
    onStdout?: ExecOptions['onStdout'],
  ): Promise<ScriptResult>
  /** Closes an idle channel to make place for another session; the last one stays. */
  giveOne(): Promise<boolean>
  /** Ends it, with all that it started. @throws ChannelRefused when that takes a session that the server does not give */
  end(running: RunningScript): Promise<void>
}

/** Opens shells as they are needed, up to four or as many as the server gives; the rest waits its turn. */
export function createShellPool(open: () => Promise<ShellChannel>): ShellPool {
  const channels = new Set<ShellChannel>()
  const idle: ShellChannel[] = []
  /** What runs there may have its end by itself meanwhile; nobody else is to be given them. */
  const ending = new Set<ShellChannel>()
  const waiting: { resolve(channel: ShellChannel): void; reject(error: unknown): void }[] = []
  let opening = 0
  let limit = wanted
  let closedAt = 0

  const pump = () => {
    while (waiting.length > 0 && idle.length > 0) {
      const channel = idle.pop() as ShellChannel
      if (!channel.closed) waiting.shift()?.resolve(channel)
    }
    while (opening < waiting.length && channels.size + opening < limit) void openOne()
  }

  /** sshd frees the session of a closed channel a moment after it said so; a refusal until then means nothing. */
  const openPatiently = async (): Promise<ShellChannel> => {
    for (let waitMs = 20; ; waitMs *= 2) {
      try {
        return await open()
      } catch (error) {
        if (!(error instanceof ChannelRefused) || Date.now() - closedAt > 1000) throw error
        await sleep(waitMs)
      }
    }
  }

  const openOne = async () => {
    opening++
    try {
      const channel = await openPatiently()
      channels.add(channel)
      channel.onClosed(() => {
        closedAt = Date.now()
        channels.delete(channel)
        ending.delete(channel)
        const at = idle.indexOf(channel)
        if (at >= 0) idle.splice(at, 1)
        pump()
      })
      idle.push(channel)
    } catch (error) {
      const others = channels.size + opening - 1
      if (error instanceof ChannelRefused && others > 0) limit = others
      else waiting.shift()?.reject(error)
    } finally {
      opening--
    }
    pump()
  }

  const acquire = () =>
    new Promise<ShellChannel>((resolve, reject) => {
      waiting.push({ resolve, reject })
      pump()
    })

  const run: ShellPool['run'] = async (script, stdin, onStart, onStdout) => {
    const channel = await acquire()
    const running = { channel, isOver: false }
    try {
      onStart?.(running)
      return await channel.run(script, stdin, onStdout)
    } finally {
      running.isOver = true
      if (!channel.closed && !ending.has(channel)) idle.push(channel)
      pump()
    }
  }

  return {
    get limit() {
      return limit
    },
    run,
    async giveOne() {
      if (channels.size < 2) return false
      const channel = idle.pop()
      if (!channel) return false
      limit = Math.max(1, channels.size - 1)
      await closed(channel, () => channel.close())
      return true
    },
    async end({ channel, isOver }) {
      // Its shell may have been given to another one.
      if (isOver) return
      ending.add(channel)
      for (const name of channel.passesSignals ? (['TERM', 'KILL'] as const) : []) {
        await closed(channel, () => channel.signal(name), 400)
        if (channel.closed) return
      }
      // a server that does not pass signals on: by another shell, which kills the group that the far loop leads
      channel.close()
      channels.delete(channel)
      await run(killScript(channel.pid), new Uint8Array())
    },
  }
}

/** The far loop leads the process group of all that it runs. */
export function killScript(pid: number): string {
  return `kill -s KILL -- -${pid}`
}

/** Waits until it is closed, or for so long. */
function closed(channel: ShellChannel, start: () => void, withinMs = 2000): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, withinMs)
    channel.onClosed(() => {
      clearTimeout(timer)
      resolve()
    })
    start()
  })
}
