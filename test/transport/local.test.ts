import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { transportSuite } from '../../src/testing/transport-suite.ts'
import { createLocalTransport } from '../../src/transport/local.ts'
import { removeFolder } from '../remove-folder.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-local-'))
afterAll(() => removeFolder(folder))

transportSuite('local', async () => ({ transport: createLocalTransport(), folder }))
