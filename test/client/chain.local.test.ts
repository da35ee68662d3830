import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { close, configure } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { chainTests } from './chain.ts'

const workdir = mkdtempSync(join(tmpdir(), 'farcall-chain-'))

beforeAll(() => configure({ profiles: { here: { scheduler: 'direct', workdir } }, defaultProfile: 'here' }))
afterEach(close)
afterAll(() => removeFolder(workdir))

chainTests('this machine')
