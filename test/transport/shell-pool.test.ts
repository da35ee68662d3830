import { expect, it } from 'vitest'
import type { ScriptResult, ShellChannel } from '../../src/transport/shell-channel.ts'
import { createShellPool, type RunningScript } from '../../src/transport/shell-pool.ts'

const nothing = new Uint8Array()
const done: ScriptResult = { exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }

/** A shell whose command has its end when that is said, and which closes a moment after a signal. */
function shell() {
  const listeners: (() => void)[] = []
  const commands: string[] = []
  let finish = (_: ScriptResult) => {}
  let fail = (_: Error) => {}
  const state = { closed: false }
  const channel: ShellChannel = {
    pid: 1,
    get closed() {
      return state.closed
    },
    passesSignals: true,
    run(script) {
      commands.push(script)
      return new Promise((resolve, reject) => {
        finish = resolve
        fail = reject
      })
    },
    signal() {
      setTimeout(() => {
        state.closed = true
        fail(new Error('the shell was ended while a command ran'))
        for (const listener of listeners) listener()
      }, 20)
    },
    close() {},
    onClosed: (listener) => void listeners.push(listener),
  }
  return { channel, commands, finish: () => finish(done) }
}

it('a shell that is being ended is given to nobody, though its command has its end meanwhile', async () => {
  const shells = [shell(), shell()]
  let opened = 0
  const pool = createShellPool(async () => shells[opened++]!.channel)
  let first: RunningScript | undefined
  const given = pool.run('left early', nothing, (running) => {
    first = running
  })
  await expect.poll(() => first).toBeDefined()
  const ending = pool.end(first!)
  shells[0]!.finish()
  await given
  const next = pool.run('next', nothing)
  await expect.poll(() => shells[1]!.commands).toEqual(['next'])
  await ending
  shells[1]!.finish()
  expect(await next).toEqual(done)
  expect(shells[0]!.commands).toEqual(['left early'])
})

it('a script that is over cannot be ended: its shell may be another one’s by then', async () => {
  const one = shell()
  const pool = createShellPool(async () => one.channel)
  let first: RunningScript | undefined
  const given = pool.run('first', nothing, (running) => {
    first = running
  })
  await expect.poll(() => first).toBeDefined()
  one.finish()
  await given
  const next = pool.run('next', nothing)
  await expect.poll(() => one.commands).toEqual(['first', 'next'])
  await pool.end(first!)
  one.finish()
  expect(await next).toEqual(done)
  expect(one.channel.closed).toBe(false)
})
