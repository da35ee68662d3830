import type { Call, Cluster, Dialect, Job, Member, Reply } from './model.ts'
import { qacct } from './sge-accounting.ts'
import { qdel, qhold, qmod, qrls } from './sge-control.ts'
import { qconf } from './sge-site.ts'
import { qstat } from './sge-status.ts'
import { qsub } from './sge-submit.ts'

const commands: Readonly<Record<string, (call: Call, cluster: Cluster) => Reply>> = {
  qsub,
  qstat,
  qacct,
  qdel,
  qconf,
  qmod,
  qhold,
  qrls,
}

/** Grid Engine, as 8.1.9 speaks: https://gridscheduler.sourceforge.net/htmlman/manuals.html */
export const sgeDialect: Dialect = {
  questions: new Set(['qstat', 'qacct']),
  killsAtOnce: new Set(['memory', 'node', 'time', 'deleted', 'preempted', 'requeued']),
  withoutOutput: 'waits',
  endsHopeless: false,
  exitCodes: { again: 99, error: 100 },
  run: (call, cluster) => commands[call.command]!(call, cluster),
  launch: (job, member) => ({
    env: environment(job, member),
    ...(job.output === undefined ? {} : { output: job.output }),
  }),
  outage({ command }) {
    const server = 'unable to send message to qmaster using port 6444 on host "localhost": got send error'
    const refused = 'error: commlib error: got select error (Connection refused)\n'
    if (command === 'qsub')
      return { exitCode: 1, stderr: `${refused}Unable to run job: ${server}\nExiting.\n` }
    return { exitCode: 1, stderr: `${refused}error: ${server}\n` }
  },
  lostAnswer: {
    exitCode: 1,
    stderr:
      'Unable to run job: failed receiving gdi request response for mid=1 (got syncron message receive timeout error).\nExiting.\n',
  },
  refusal: (words) => ({ exitCode: 1, stderr: `Unable to run job: ${words}\nExiting.\n` }),
}

function environment(job: Job, member: Member): Record<string, string> {
  const { index, restarts } = member
  const { indexes = [] } = job.array ?? {}
  const task = (value: number | undefined) => (index === undefined ? 'undefined' : String(value))
  return {
    ARC: 'lx-amd64',
    ENVIRONMENT: 'BATCH',
    HOSTNAME: 'node1',
    JOB_ID: String(job.number),
    JOB_NAME: job.name,
    NHOSTS: '1',
    NQUEUES: '1',
    NSLOTS: String(job.cores),
    QUEUE: job.queue ?? 'all.q',
    REQNAME: job.name,
    REQUEST: job.name,
    RESTARTED: restarts === 0 ? '0' : '1',
    SGE_STDOUT_PATH: job.output ?? '/dev/null',
    SGE_TASK_ID: task(index),
    SGE_TASK_FIRST: task(indexes[0]),
    SGE_TASK_LAST: task(indexes.at(-1)),
    SGE_TASK_STEPSIZE: task(1),
    SHELL: job.shell ?? '/bin/sh',
  }
}
