import { describe } from 'vitest'
import { farFiles } from '../../src/executor/files/far-files.ts'
import { localFiles } from '../../src/files/local.ts'
import { createLocalTransport } from '../../src/transport/local.ts'
import { busyboxTransport, hasBusybox } from '../client/files/busybox.ts'
import { filesSuite } from './suite.ts'

const root = process.getuid?.() === 0

filesSuite('of this machine', async () => ({ fs: localFiles(() => process.cwd()), root }))
filesSuite('by sh', async () => ({ fs: farFiles(createLocalTransport()), root }))
describe.skipIf(!hasBusybox)('with nothing but busybox', () => {
  filesSuite('by busybox', async () => ({ fs: farFiles(busyboxTransport()), root }))
})
