import { FarcallError } from '../../core/errors.ts'
import { attemptStep } from '../../core/protocol.ts'
import type { Transport } from '../../transport/transport.ts'
import { latestRunScript } from './find-scripts.ts'
import type { TrackedJob } from './tracked-job.ts'

/** The n of the run.<n>.<k> that a member's last files lie in. `folder` is the job's. */
export async function runOf(
  transport: Transport,
  folder: string,
  job: TrackedJob,
  member: number,
): Promise<number> {
  const { attempt } = job.spec
  const known = job.runs.get(member)
  if (known !== undefined || !job.restarted) return known ?? attempt
  const range = [attempt, attempt + attemptStep, member].map(String)
  const result = await transport.exec({ argv: ['sh', '-c', latestRunScript, 'farcall', folder, ...range] })
  if (result.exitCode !== 0)
    throw new FarcallError('COMMAND_FAILED', `looking for the runs in ${folder}: ${result.stderr.trim()}`, {
      transient: true,
    })
  return Number(Buffer.from(result.stdout).toString('latin1').trim())
}
