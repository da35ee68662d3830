import { createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TransportError } from '../core/errors.ts'
import type { Tunnel } from './transport.ts'

const loopback = '127.0.0.1'

/**
 * Listens on loopback, and joins each connection with one that `dial` opens. A dial that fails closes its own
 * connection only, as a port does that nobody listens on.
 * @throws TransportError PORT_TAKEN
 */
export async function openTunnel(dial: () => Promise<Duplex>, port = 0): Promise<Tunnel> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (near) => {
    open.add(near)
    near.on('close', () => open.delete(near))
    near.on('error', () => near.destroy())
    dial().then(
      (far) => join(near, far),
      () => near.destroy(),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new TransportError('PORT_TAKEN', `${loopback}:${port} cannot be listened on: ${error.code}`, {
          hint: 'choose another port, or none for any that is free',
          cause: error,
        }),
      ),
    )
    server.listen(port, loopback, resolve)
  })
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const near of open) near.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** Each way by itself: one side may have said all while the other still speaks. */
function join(near: Socket, far: Duplex): void {
  far.on('error', () => near.destroy())
  if (near.destroyed) return void far.destroy()
  near.setNoDelay(true)
  far.on('close', () => near.destroySoon())
  near.on('close', () => far.destroy())
  near.pipe(far)
  far.pipe(near)
}
