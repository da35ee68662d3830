import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { close, configure } from '../../src/index.ts'
import { chainTests } from './chain.ts'

const workdir = mkdtempSync(join(tmpdir(), 'farcall-chain-'))

beforeAll(() => configure({ profiles: { here: { scheduler: 'direct', workdir } }, defaultProfile: 'here' }))
afterEach(close)
afterAll(() => rmSync(workdir, { recursive: true, force: true }))

chainTests('this machine')
