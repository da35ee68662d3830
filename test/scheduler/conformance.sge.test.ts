import { readFileSync } from 'node:fs'
import { inject } from 'vitest'
import { sge } from '../../src/scheduler/sge.ts'
import { schedulerSuite } from '../../src/testing/scheduler-suite.ts'
import { openTransport } from '../../src/transport/open.ts'

const { sshd, sge: cluster } = inject('sge')
const { host, port, user, identityFile, knownHosts } = sshd
const profile = { scheduler: 'sge', host, port, user, identityFile, knownHosts } as const

schedulerSuite(
  'Grid Engine over ssh',
  async () => {
    const transport = openTransport(profile)
    return {
      scheduler: sge.site!.adapt(await transport.exec(sge.site!.ask()), profile),
      transport,
      folder: `${cluster.home}/conformance`,
      timeLimitSeconds: 3,
      overMemory: { native: ['-l h_vmem=300M'] },
      // What watches over the job, and the job.
      async failNode(id) {
        const folder = `${cluster.folder}/execd/localhost/active_jobs/${id}.1`
        const [shepherd, group] = ['pid', 'job_pid'].map((name) =>
          Number(readFileSync(`${folder}/${name}`, 'utf8')),
        )
        process.kill(shepherd!, 'SIGKILL')
        process.kill(-group!, 'SIGKILL')
      },
    }
  },
  120_000,
)
