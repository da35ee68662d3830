import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { cutOffScript } from '../../src/executor/batch/submit-scripts.ts'
import { removeFolder } from '../remove-folder.ts'

const workdir = mkdtempSync(join(tmpdir(), 'farcall-cut-off-'))
afterAll(() => removeFolder(workdir))

it('a submission that ends while it is looked at shows no exit code without its answer', () => {
  const folder = join(workdir, 'jobs/f1/submit.1')
  const bin = join(workdir, 'bin')
  for (const path of [folder, bin]) mkdirSync(path, { recursive: true })
  // The other client is done in the middle of the look.
  writeFileSync(join(bin, 'grep'), `#!/bin/sh\necho 4711 >"${folder}/out"; echo 0 >"${folder}/rc"; exit 1\n`)
  chmodSync(join(bin, 'grep'), 0o755)
  const look = () =>
    spawnSync('sh', ['-c', cutOffScript, 'farcall', workdir, 'f1', '1', 'job.sh', 'job.json'], {
      encoding: 'utf8',
      env: { PATH: `${bin}:${process.env['PATH']}` },
    }).stdout
  expect(look()).toMatch(/^this .*\n$/)
  expect(look().split('\n').slice(1)).toEqual(['rc 0', 'out 4711', ''])
})
