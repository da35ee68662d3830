import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as it came. */
export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects, it looks for
  readonly body: any
}

/** A server of HTTP that notes what it is told. `answer`: what it says to it; default 200. */
export interface HookServer {
  readonly url: string
  readonly host: string
  readonly received: Received[]
  answer: (response: ServerResponse, request: Received) => void
  close(): Promise<void>
}

export async function hookServer(port = 0): Promise<HookServer> {
  const state = {
    received: [] as Received[],
    answer: (response: ServerResponse) => void response.end('ok'),
  }
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      const received = { method, path, headers, body: JSON.parse(text) }
      state.received.push(received)
      hook.answer(response, received)
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const hook: HookServer = Object.assign(state, {
    host,
    url: `http://${host}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
  return hook
}
