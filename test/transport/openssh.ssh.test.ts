import { afterAll, beforeAll } from 'vitest'
import { transportSuite } from '../../src/testing/transport-suite.ts'
import { openTransport } from '../../src/transport/open.ts'
import { type Sshd, startSshd } from '../clusters/sshd.ts'

let sshd: Sshd
beforeAll(async () => {
  sshd = await startSshd()
})
afterAll(() => sshd.stop())

transportSuite('openssh', async () => {
  const { host, port, user, identityFile, knownHosts } = sshd
  const transport = openTransport({
    scheduler: 'direct',
    host,
    port,
    user,
    identityFile,
    knownHosts,
    transport: 'openssh',
    sshConfig: 'none',
  })
  await transport.exec({ argv: ['mkdir', 'suite'] })
  return { transport, folder: `${sshd.home}/suite` }
})
