import { chmodSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { knownScheduler } from '../../src/client/options/found-schedulers.ts'
import { detectSchedulers, theOnly } from '../../src/executor/detect.ts'
import { close, cluster, configure } from '../../src/index.ts'
import { createLocalTransport } from '../../src/transport/local.ts'
import { removeFolder } from '../remove-folder.ts'

const before = process.env['PATH']
let bin = ''

/** Programs of that name, which end with that exit code. */
function install(programs: Readonly<Record<string, number>>): void {
  for (const [name, exitCode] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\nexit ${exitCode}\n`)
    chmodSync(join(bin, name), 0o755)
  }
}

beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), 'farcall-bin-'))
  for (const name of ['sh', 'env', 'id', 'sed', 'awk', 'bash', 'cat'])
    symlinkSync(`/bin/${name}`, join(bin, name))
  process.env['PATH'] = bin
})
afterEach(() => {
  process.env['PATH'] = before
  removeFolder(bin)
})
afterAll(close)

async function found(): Promise<string[]> {
  await using transport = createLocalTransport()
  return await detectSchedulers(transport)
}

describe('on a machine', () => {
  it('without a scheduler none is found, and what to do is said', async () => {
    expect(await found()).toEqual([])
    expect(() => theOnly([], 'local')).toThrowError(
      expect.objectContaining({
        code: 'SCHEDULER_MISSING',
        hint: expect.stringMatching(/scheduler: direct/),
      }),
    )
  })

  it('with one it is found, whether or not it answers just now', async () => {
    install({ sbatch: 1, squeue: 1, sinfo: 1 })
    expect(await found()).toEqual(['slurm'])
    expect(theOnly(['slurm'], 'local')).toBe('slurm')
  })

  it('with several the one that answers is taken; of two that do, the user chooses', async () => {
    install({ sbatch: 1, squeue: 1, sinfo: 1, qsub: 0, qconf: 0, qstat: 0 })
    expect(await found()).toEqual(['sge'])
    install({ sinfo: 0 })
    expect(await found()).toEqual(['slurm', 'sge'])
    install({ sinfo: 1, qstat: 1 })
    expect(await found()).toEqual(['slurm', 'sge'])
    expect(() => theOnly(['slurm', 'sge'], 'local')).toThrowError(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(/names no scheduler, and on local there are several: slurm, sge\n/),
        hint: expect.stringMatching(/`scheduler: slurm` say/),
      }),
    )
  })
})

it('a call whose profile names none is refused in words, where there is none', async () => {
  configure({ profiles: { here: {} }, defaultProfile: 'here' })
  await expect(cluster({}, () => 1)()).rejects.toMatchObject({ code: 'SCHEDULER_MISSING' })
  expect(knownScheduler(join(bin, 'store'), {})).toBeUndefined()
})
