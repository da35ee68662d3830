import { describe, expect, inject, it } from 'vitest'
import { root } from '../client/helpers.ts'
import { commandsWork } from './jobs.ts'

const { host, port, user, identityFile, knownHosts } = inject('slurms').plain.sshd
const functions = `${root}test/fixtures/programs/functions.ts`

describe('commands about jobs of a real Slurm', () =>
  commandsWork(
    { scheduler: 'slurm', host, port, user, identityFile, knownHosts, queryInterval: '2s' },
    ({ farcall, out }) => {
      const submit = (...more: string[]) =>
        farcall('submit', functions, '--function', 'square', '--args', '[3]', ...more)

      it('options for resources become directives', async () => {
        const { stdout } = await submit('--dry-run', '--cores', '2', '--memory', '200MB', '--native=--nice=5')
        expect(stdout).toContain('#SBATCH --cpus-per-task=2')
        expect(stdout).toContain('#SBATCH --mem=200M')
        expect(stdout).toContain('#SBATCH --nice=5')
      })

      it('a submission that sbatch refuses ends with 5, and its own words', async () => {
        const refused = await submit('--partition', 'no-such')
        expect(refused).toMatchObject({ exitCode: 5, stdout: '' })
        expect(refused.stderr).toContain('invalid partition specified: no-such')
      })

      it('explain says why a job waits, and squeue is asked once for all jobs of the place', async () => {
        const ids: string[] = []
        for (let k = 0; k < 3; k++) ids.push((await submit('--native=--hold')).stdout.trimEnd())
        const { stdout, stderr } = await farcall('list', '--state', 'QUEUED', '--json', '--verbose')
        const rows = JSON.parse(stdout) as { id: string; reason?: string }[]
        expect(rows.map(({ id }) => id).sort()).toEqual([...ids].sort())
        expect(rows[0]).toMatchObject({ reason: 'held' })
        expect(stderr.match(/ squeue /g)).toHaveLength(1)
        expect(await out('explain', ids[0]!)).toContain(`${ids[0]}: QUEUED held\n  JobHeldUser`)
        expect((await out('cancel', ...ids)).split('\n').filter(Boolean)).toEqual(ids)
      })
    },
  ))
