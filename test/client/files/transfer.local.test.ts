import { expect, test } from 'vitest'
import { clusterFiles } from '../../../src/executor/files/cluster-files.ts'
import { farEnd } from '../../../src/executor/files/far-end.ts'
import { nearEnd } from '../../../src/executor/files/near-end.ts'
import { createLocalTransport } from '../../../src/transport/local.ts'
import { busyboxTransport } from './busybox.ts'
import { transferSuite } from './transfer-suite.ts'

transferSuite('of this machine', async () => clusterFiles(createLocalTransport(), true))
transferSuite('by sh', async () => clusterFiles(createLocalTransport(), false))
transferSuite('by busybox', async () => clusterFiles(busyboxTransport(), false))

test('nothing is removed from the home folder, nor from above it', async () => {
  for (const end of [nearEnd(() => '/'), farEnd(createLocalTransport())])
    for (const folder of ['~', '~/.', '/'])
      await expect(end.removeBelow(folder, ['no-such-file'])).rejects.toMatchObject({ code: 'FILE_REFUSED' })
})
