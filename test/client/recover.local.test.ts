import { execFileSync } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { removeFolder } from '../remove-folder.ts'
import { recoversRecord } from './recover.ts'

const workdir = join(mkdtempSync(join(tmpdir(), 'farcall-recover-')), 'work')
afterAll(() => removeFolder(join(workdir, '..')))

recoversRecord({
  env: { FARCALL_SCHEDULER: 'direct', FARCALL_WORKDIR: workdir, FARCALL_QUERY_INTERVAL: '1s' },
  on: (command) => execFileSync('sh', ['-c', command], { cwd: workdir, encoding: 'utf8' }),
})
