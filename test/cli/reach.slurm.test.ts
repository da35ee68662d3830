import { describe, expect, inject, it } from 'vitest'
import { root } from '../client/helpers.ts'
import { withoutTerminal } from '../transport/program.ts'
import { reachesJobs } from './reach.ts'

const { sshd, slurm } = inject('slurms').plain
const { host, port, user, identityFile, knownHosts } = sshd

describe('a job on a real Slurm', () =>
  reachesJobs(
    { scheduler: 'slurm', host, port, user, identityFile, knownHosts, queryInterval: '2s' },
    ({ id, env }) => {
      it('what runs beside it is a step of the job, on its node', async () => {
        const { stdout } = await withoutTerminal(
          [
            `${root}dist/cli/main.js`,
            'shell',
            id(),
            '--',
            'sh',
            '-c',
            'echo $SLURM_JOB_ID $SLURM_STEP_ID $SLURMD_NODENAME',
          ],
          env,
        )
        const [job, step, node] = stdout.trim().split(' ')
        expect(Number(job)).toBeGreaterThan(0)
        expect(Number(step)).toBeGreaterThanOrEqual(0)
        expect(slurm.nodes).toContain(node)
      })
    },
  ))
