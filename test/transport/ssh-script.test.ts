import { describe, expect, it } from 'vitest'
import { ChannelRefused, type Connection } from '../../src/transport/connection.ts'
import { connectionClosed } from '../../src/transport/failures.ts'
import type { ShellChannel } from '../../src/transport/shell-channel.ts'
import type { ShellPool } from '../../src/transport/shell-pool.ts'
import type { Links } from '../../src/transport/ssh-link.ts'
import { runScript } from '../../src/transport/ssh-script.ts'

const channel = { pid: 7 } as ShellChannel

/** A server that has one session, in which a script runs until the connection goes. */
function oneSession(again: () => ReturnType<Links['get']>) {
  const dropped: string[] = []
  const connection = { drop: () => dropped.push('dropped') } as unknown as Connection
  const pool: ShellPool = {
    limit: 1,
    run: (_script, _stdin, onStart) =>
      new Promise((_, reject) => {
        try {
          onStart?.({ channel, isOver: false })
        } catch (error) {
          reject(error)
        }
      }),
    giveOne: async () => false,
    end: async () => {
      throw new ChannelRefused('open failed')
    },
  }
  const links: Links = {
    name: 'host',
    current: undefined,
    get: again,
    hold: () => {},
    close: async () => true,
  }
  return { links, link: { connection, pool }, dropped }
}

describe('a script that is given up where the server has no second session', () => {
  it.each([
    ['none can be made any more', connectionClosed('host')],
    ['the next one has no session either', new ChannelRefused('open failed')],
  ])('tells why it was given up, although a new connection is needed for that and %s', async (_, error) => {
    const { links, link, dropped } = oneSession(() => Promise.reject(error))
    const enough = new AbortController()
    const running = runScript(links, link, 'sleep 60', new Uint8Array(), ['sleep'], {
      signal: enough.signal,
      timeoutMs: 60_000,
    })
    enough.abort('enough')
    await expect(running).rejects.toBe('enough')
    expect(dropped).toEqual(['dropped'])
  })

  it('tells what is no matter of connections', async () => {
    const { links, link } = oneSession(() => Promise.reject(new TypeError('a bug')))
    const enough = new AbortController()
    const running = runScript(links, link, 'sleep 60', new Uint8Array(), ['sleep'], {
      signal: enough.signal,
      timeoutMs: 60_000,
    })
    enough.abort('enough')
    await expect(running).rejects.toThrow('a bug')
  })
})
