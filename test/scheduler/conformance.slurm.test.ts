import { inject } from 'vitest'
import { slurm } from '../../src/scheduler/slurm.ts'
import { schedulerSuite } from '../../src/testing/scheduler-suite.ts'
import { openTransport } from '../../src/transport/open.ts'
import { run } from '../clusters/processes.ts'

for (const [kind, { sshd, slurm: cluster }] of Object.entries(inject('slurms'))) {
  const { host, port, user, identityFile, knownHosts } = sshd
  const asAdmin = async (...argv: string[]) =>
    (await run(argv[0]!, argv.slice(1), { env: { ...cluster.env }, cwd: '/' })).stdout.trim()

  schedulerSuite(
    `Slurm (${kind}) over ssh`,
    async () => ({
      scheduler: slurm,
      transport: openTransport({ scheduler: 'slurm', host, port, user, identityFile, knownHosts }),
      folder: `${cluster.home}/conformance`,
      // The least that it takes; it looks at limits each half minute.
      timeLimitSeconds: 60,
      overMemory: { memoryBytes: 100e6 },
      async failNode(id) {
        const node = await asAdmin('squeue', '-h', '-j', id, '-o', '%N')
        await asAdmin('scontrol', 'update', `nodename=${node}`, 'state=down', 'reason=test')
        await asAdmin('scontrol', 'update', `nodename=${node}`, 'state=resume')
      },
      // A requeued job waits for its begin time, two minutes on.
      async preempt() {
        const all = ['--partition=short', '--nodes=4', '--exclusive', '--output=/dev/null']
        await asAdmin('sbatch', ...all, '--wrap=sleep 1')
      },
    }),
    120_000,
  )
}
