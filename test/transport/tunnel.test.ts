import { once } from 'node:events'
import { connect } from 'node:net'
import { Duplex, PassThrough } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { openTunnel } from '../../src/transport/tunnel.ts'

it('ends no program where whoever connected has gone before the far end was reached', async () => {
  const [writable, readable] = [new PassThrough(), new PassThrough()]
  let reach = (_far: Duplex) => {}
  const far = new Promise<Duplex>((resolve) => {
    reach = resolve
  })
  let dialed = () => {}
  const dialing = new Promise<void>((resolve) => {
    dialed = resolve
  })
  const tunnel = await openTunnel(() => {
    dialed()
    return far
  })
  const near = connect(tunnel.port, '127.0.0.1')
  await dialing
  // An error that nobody listens to would be told by the runner of this test.
  await tunnel[Symbol.asyncDispose]()
  if (!near.closed) await once(near, 'close')
  // As the system's ssh gives it.
  reach(Duplex.from({ writable, readable }))
  await expect.poll(() => writable.destroyed && readable.destroyed).toBe(true)
  await turn()
})
