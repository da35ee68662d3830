import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

      it('a job script runs as it is, with its directives and text, and its exit code is ours', async () => {
        const file = join(
          mkdtempSync(join(process.env['FARCALL_TEST_FOLDER']!, 'farcall-job-script-')),
          'job.sh',
        )
        writeFileSync(
          file,
          '#!/bin/bash\n#SBATCH --job-name=mine\n#SBATCH --comment="{{ it }}" --time=5\n' +
            'echo "$SLURM_JOB_NAME {{ seed }} ${#1} $2"; echo careful >&2; exit "$3"\n',
        )
        const failed = await farcall('ssh', file, 'two words', '3rd', '3', '--raw', '--memory', '200MB')
        expect(failed).toMatchObject({ exitCode: 3, stdout: 'mine {{ seed }} 9 3rd\n' })
        expect(failed.stderr).toMatch(/ FAILED exit-code$/m)
        expect(failed.stderr).toMatch(/^careful$/m)
        expect(failed.stderr).not.toContain('error ')

        const rendered = await farcall('ssh', file, 'a', 'b', '0', '--var', 'seed=42', '--var', 'it=x')
        expect(rendered).toMatchObject({ exitCode: 0, stdout: 'mine 42 1 b\n' })
        const plain = await farcall('ssh', file, '--dry-run')
        expect(plain.stdout).toContain('#SBATCH --comment="{{ it }}"\n#SBATCH --time=5\n')
        expect(plain.stderr).toContain('job.sh:3: {{ it }} goes along as it stands; --var it=…')
        const id = await out('ssh', file, 'a', 'b', '0', '--raw', '--no-follow')
        expect(JSON.parse(await out('result', id.trimEnd()))).toMatchObject({
          stdoutTail: 'mine {{ seed }} 1 b\n',
        })
        expect(await farcall('ssh', file, '--raw', '--time', '9m')).toMatchObject({
          exitCode: 2,
          stderr: expect.stringContaining('the option time of the call says it, too'),
        })
        expect(await farcall('ssh', file, '--raw', '--partition', 'no-such')).toMatchObject({
          exitCode: 5,
          stdout: '',
          stderr: expect.stringContaining('error SUBMIT_REFUSED'),
        })
        expect(await farcall('ssh', 'none.sh')).toMatchObject({ exitCode: 2, stdout: '' })
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
