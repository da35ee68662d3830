import type { Call, Cluster, Dialect, Job, Member, Reply } from './model.ts'
import { sacct, sacctmgr, sinfo, squeue } from './slurm-answers.ts'
import { scancel, scontrol, srun } from './slurm-control.ts'
import { cannotConnect, node } from './slurm-jobs.ts'
import { outputPath, sbatch } from './slurm-submit.ts'

const commands: Readonly<Record<string, (call: Call, cluster: Cluster) => Reply>> = {
  sbatch,
  squeue,
  sacct,
  sacctmgr,
  scancel,
  scontrol,
  sinfo,
  srun,
}

/** Slurm, as 22.05 speaks: https://slurm.schedmd.com/man_index.html */
export const slurmDialect: Dialect = {
  questions: new Set(['squeue', 'sacct']),
  killsAtOnce: new Set(['memory', 'node']),
  withoutOutput: 'fails',
  endsHopeless: false,
  run: (call, cluster) => commands[call.command]!(call, cluster),
  launch(job, member, cluster) {
    member.number ??= numberOf(job, member, cluster)
    const output = outputPath(job, member)
    return { env: environment(job, member), ...(output === undefined ? {} : { output }) }
  },
  outage({ command, args }) {
    if (command === 'sbatch') return refusal(cannotConnect)
    if (command === 'scancel') {
      const id = args.find((arg) => !arg.startsWith('-')) ?? '0'
      return { exitCode: 1, stderr: `scancel: error: Kill job error on job id ${id}: ${cannotConnect}\n` }
    }
    if (command === 'sacct' || command === 'sacctmgr')
      return {
        exitCode: 1,
        stderr: `${command}: error: Problem talking to the database: Resource temporarily unavailable\n`,
      }
    const what = command === 'sinfo' ? 'slurm_load_partitions' : 'slurm_load_jobs error'
    return { exitCode: 1, stderr: `${what}: ${cannotConnect}\n` }
  },
  lostAnswer: {
    exitCode: 1,
    stderr: 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n',
  },
  refusal,
}

function refusal(words: string): Reply {
  return { exitCode: 1, stderr: `sbatch: error: Batch job submission failed: ${words}\n` }
}

/** Each member of an array becomes a job of its own when it starts; the last one keeps the array's number. */
function numberOf(job: Job, member: Member, cluster: Cluster): number {
  const others = job.members.filter((other) => other !== member && other.startedAt === undefined)
  return others.length === 0 ? job.number : cluster.takeNumber()
}

function environment(job: Job, member: Member): Record<string, string> {
  const megabytes = Math.ceil((job.memoryBytes ?? 0) / 1024 ** 2)
  const indexes = job.array?.indexes ?? []
  return {
    SLURM_JOB_ID: String(member.number),
    SLURM_JOBID: String(member.number),
    SLURM_JOB_NAME: job.name,
    SLURM_JOB_USER: job.user,
    SLURM_JOB_UID: String(job.uid),
    SLURM_JOB_PARTITION: job.queue ?? 'short',
    SLURM_JOB_NODELIST: node,
    SLURM_JOB_NUM_NODES: '1',
    SLURM_NNODES: '1',
    SLURM_NODELIST: node,
    SLURMD_NODENAME: node,
    SLURM_CLUSTER_NAME: 'lab',
    SLURM_SUBMIT_DIR: job.cwd ?? '/',
    SLURM_SUBMIT_HOST: 'login',
    SLURM_CPUS_ON_NODE: String(job.cores),
    SLURM_JOB_CPUS_PER_NODE: String(job.cores),
    SLURM_PROCID: '0',
    SLURM_LOCALID: '0',
    SLURM_NODEID: '0',
    ...(job.cores === 1 ? {} : { SLURM_CPUS_PER_TASK: String(job.cores) }),
    ...(megabytes === 0 ? {} : { SLURM_MEM_PER_NODE: String(megabytes) }),
    ...(member.restarts === 0 ? {} : { SLURM_RESTART_COUNT: String(member.restarts) }),
    ...(member.index === undefined
      ? {}
      : {
          SLURM_ARRAY_JOB_ID: String(job.number),
          SLURM_ARRAY_TASK_ID: String(member.index),
          SLURM_ARRAY_TASK_COUNT: String(indexes.length),
          SLURM_ARRAY_TASK_MIN: String(Math.min(...indexes)),
          SLURM_ARRAY_TASK_MAX: String(Math.max(...indexes)),
          SLURM_ARRAY_TASK_STEP: '1',
        }),
  }
}
