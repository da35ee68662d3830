import { type Cluster, phaseAt, type Reply } from './model.ts'

/** What `qstat -Q -f` says of the only queue. */
export function queueStatus({ jobs }: Cluster): Reply {
  const lines = [
    'Queue: workq',
    '    queue_type = Execution',
    `    total_jobs = ${jobs.size}`,
    '    enabled = True',
    '    started = True',
  ]
  return { exitCode: 0, stdout: `${lines.join('\n')}\n\n` }
}

/** What `qstat -B -f` says of the server. */
export function serverStatus(server: string): Reply {
  return {
    exitCode: 0,
    stdout: `Server: ${server}\n    server_state = Active\n    default_queue = workq\n\n`,
  }
}

/** What `pbsnodes -a` says of the only node. */
export function nodeStatus({ knobs, jobs, asOf }: Cluster, isTorque: boolean): Reply {
  const running = [...jobs.values()].flatMap((job) =>
    job.members.filter((member) => phaseAt(member, asOf)?.state === 'running').map(() => job),
  )
  const { cores = 4 } = knobs
  const used = running.reduce((sum, job) => sum + job.cores, 0)
  const memory = running.reduce((sum, job) => sum + Math.ceil((job.memoryBytes ?? 0) / 1024), 0)
  const state = used >= cores ? (isTorque ? 'job-exclusive' : 'job-busy') : 'free'
  let next = 0
  const slots = running.flatMap((job) =>
    Array.from({ length: job.cores }, () =>
      isTorque ? `${next++}/${job.number}.pbs` : `${job.number}.pbs/${next++}`,
    ),
  )
  const lines = isTorque
    ? [
        `state = ${state}`,
        `np = ${cores}`,
        'ntype = cluster',
        ...(slots.length > 0 ? [`jobs = ${slots.join(',')}`] : []),
      ]
    : [
        'Mom = node1',
        'ntype = PBS',
        `state = ${state}`,
        `pcpus = ${cores}`,
        ...(slots.length > 0 ? [`jobs = ${slots.join(', ')}`] : []),
        'resources_available.host = node1',
        'resources_available.mem = 16777216kb',
        `resources_available.ncpus = ${cores}`,
        `resources_assigned.mem = ${memory}kb`,
        `resources_assigned.ncpus = ${used}`,
      ]
  return { exitCode: 0, stdout: `node1\n${lines.map((line) => `     ${line}\n`).join('')}\n` }
}
