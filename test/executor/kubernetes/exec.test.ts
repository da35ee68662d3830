import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import type WebSocket from 'ws'
import { WebSocketServer } from 'ws'
import { Api } from '../../../src/executor/kubernetes/api.ts'
import { IdentitySource } from '../../../src/executor/kubernetes/credentials.ts'
import { execIn } from '../../../src/executor/kubernetes/exec.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const target = { namespace: 'n', pod: 'p', container: 'main' }
const said = (channel: number, text: string) => Buffer.concat([Buffer.of(channel), Buffer.from(text)])

/** A server whose containers run what `run` does. */
async function serving(run: (socket: WebSocket) => void) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  const ended: Promise<void>[] = []
  server.on('connection', (socket) => {
    ended.push(new Promise((resolve) => socket.on('close', () => resolve())))
    run(socket)
  })
  await new Promise<void>((resolve) => server.on('listening', resolve))
  closing.push(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const access = { server: `http://127.0.0.1:${port}`, namespace: 'n', insecure: false, credentials: {} }
  return { api: new Api(access, new IdentitySource({}, {})), ended }
}

it('a command that nobody wants any more before its connection is begun is not begun, and ends no program', async () => {
  const { api, ended } = await serving(() => {})
  const enough = new AbortController()
  const running = execIn(api, target, ['true'], { signal: enough.signal })
  // who we are is still being looked up
  enough.abort(new Error('enough'))
  await expect(running).rejects.toThrow('enough')
  // An error of a socket that nobody listens to would come in the next turn, and be told by the runner of this test.
  await turn()
  await turn()
  expect(ended).toEqual([])
})

it('lets go of the connection when what is sent cannot be read', async () => {
  const { api, ended } = await serving(() => {})
  const broken = async function* () {
    yield Buffer.from('some')
    throw new Error('the file is gone')
  }
  await expect(execIn(api, target, ['cat'], { stdin: broken() })).rejects.toThrow('the file is gone')
  await Promise.all(ended)
  expect(ended).toHaveLength(1)
})

it('lets go of the connection when what comes cannot be kept', async () => {
  const { api, ended } = await serving((socket) => socket.send(said(1, 'words')))
  const onOutput = async () => {
    throw new Error('no space left')
  }
  await expect(execIn(api, target, ['cat'], { onOutput })).rejects.toThrow('no space left')
  await Promise.all(ended)
  expect(ended).toHaveLength(1)
})
