import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { close } from '../../src/index.ts'
import { removeFolder } from '../remove-folder.ts'
import { killedAtEachStep, killedAtRetry } from './killed.ts'

const folder = mkdtempSync(join(tmpdir(), 'farcall-killed-'))
const env = {
  FARCALL_SCHEDULER: 'direct',
  FARCALL_WORKDIR: `${folder}/work`,
  FARCALL_QUERY_INTERVAL: '1s',
  FARCALL_STORE: `${folder}/store`,
}

beforeAll(() => Object.assign(process.env, env))
afterAll(async () => {
  await close()
  for (const name of Object.keys(env)) delete process.env[name]
  removeFolder(folder)
})

describe('a program that is killed', () => {
  killedAtEachStep({
    env,
    file: (name) => join(folder, name),
    steps: { before: [1, 2, 3], later: [1, 2, 3] },
    opening: 1,
  })
})

describe('a program that is killed at a retry', () => {
  killedAtRetry({ env, file: (name) => join(folder, name) })
})
