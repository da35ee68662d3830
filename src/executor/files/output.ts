import type { CommandResult } from '../../core/shell.ts'

export type Taker = (chunk: Uint8Array) => Promise<void>

/** What a command writes, piece by piece, no faster than it is used; returns its result. Whoever stops early ends the command. */
export async function* outputOf(
  run: (take: Taker, signal: AbortSignal) => Promise<CommandResult>,
): AsyncGenerator<Uint8Array, CommandResult, void> {
  const stop = new AbortController()
  let waiting: { chunk: Uint8Array; used: () => void } | undefined
  let over = false
  let wake = () => {}
  const take: Taker = (chunk) =>
    new Promise((used) => {
      if (stop.signal.aborted) return used()
      waiting = { chunk, used }
      wake()
    })
  const running = run(take, stop.signal).finally(() => {
    over = true
    wake()
  })
  running.catch(() => {
    // told below, or nobody listens any more
  })
  try {
    for (;;) {
      if (waiting) {
        const { chunk, used } = waiting
        waiting = undefined
        try {
          yield chunk
        } finally {
          used()
        }
      } else if (over) return await running
      else
        await new Promise<void>((resolve) => {
          wake = resolve
          if (waiting || over) resolve()
        })
    }
  } finally {
    stop.abort(new Error('no longer wanted'))
    // Nobody takes it any more: the command would wait for that to have its end.
    waiting?.used()
  }
}
