import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { simulateScheduler } from '../../src/testing/index.ts'
import { commandsWork } from './jobs.ts'

// Its commands are on PATH from here on, for the programs that the suite starts as well.
const pbs = await simulateScheduler('pbs')
afterAll(() => pbs.close())

describe('commands about jobs of a simulated PBS', () =>
  commandsWork({ scheduler: pbs.kind, queryInterval: '2s' }, ({ farcall }) => {
    it('a job script of its own is followed to its end, with its own exit code', async () => {
      const script = join(tmpdir(), `farcall-pbs-${process.pid}.sh`)
      writeFileSync(
        script,
        '#!/bin/sh\n#PBS -l walltime=00:05:00\necho "in $PBS_JOBID $1"\necho careful >&2\nexit 3\n',
      )
      const { exitCode, stdout, stderr } = await farcall('ssh', script, 'one')
      expect(exitCode).toBe(3)
      expect(stdout).toMatch(/^in \d+\.\S+ one\n$/)
      expect(stderr).toContain('careful\n')
      const shown = await farcall('ssh', script, '--dry-run')
      expect(shown.stdout).toContain('#PBS -l walltime=00:05:00\n')
    })
  }))
