import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { simulateScheduler } from '../../src/testing/index.ts'
import { root } from '../client/helpers.ts'
import { commandsWork } from './jobs.ts'

// Its commands are on PATH from here on, for the programs that the suite starts as well.
const pbs = await simulateScheduler('pbs')
afterAll(() => pbs.close())

describe('commands about jobs of a simulated PBS', () =>
  commandsWork({ scheduler: pbs.kind, queryInterval: '2s' }, ({ farcall, env }) => {
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

    it('submit says what it waits for while the server does not answer', async () => {
      await pbs.set({ outage: true })
      const submitting = spawn(process.execPath, [`${root}dist/cli/main.js`, 'submit', '--', 'true'], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const said = { stdout: '', stderr: '' }
      for (const name of ['stdout', 'stderr'] as const)
        submitting[name].on('data', (chunk) => {
          said[name] += chunk
        })
      const ended = new Promise((resolve) => submitting.on('close', resolve))
      await expect.poll(() => said.stderr, { timeout: 60_000 }).toContain('submitted once it does')
      expect(said).toEqual({
        stdout: '',
        stderr: expect.stringMatching(/^f[a-z2-7]{13}: Connection refused: /),
      })
      await pbs.set({ outage: false })
      expect(await ended).toBe(0)
      const id = said.stderr.slice(0, 14)
      expect(said.stdout).toBe(`${id}\n`)
      expect(JSON.parse((await farcall('result', id, '--json')).stdout)).toMatchObject({ state: 'COMPLETED' })
    })
  }))
