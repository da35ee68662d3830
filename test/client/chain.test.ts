import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, vi } from 'vitest'
import { close, configure } from '../../src/index.ts'
import { MemoryExecutor } from '../../src/testing/memory-executor.ts'
import { removeFolder } from '../remove-folder.ts'
import { chainTests } from './chain.ts'

// A place without shared files and dependencies: what is between the jobs is the client.
vi.mock('../../src/executor/open.ts', () => ({ openExecutor: () => new MemoryExecutor() }))

const workdir = mkdtempSync(join(tmpdir(), 'farcall-chain-'))

beforeAll(() => configure({ profiles: { here: { scheduler: 'direct', workdir } }, defaultProfile: 'here' }))
afterEach(close)
afterAll(() => removeFolder(workdir))

chainTests('an executor in memory', { lasts: false })
