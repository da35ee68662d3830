import { ConfigError } from '../core/errors.ts'
import { commonDirectives, commonLines, pbsMemory, script } from './pbs.ts'
import { explainSubmit, parseJobs, parseSubmit, parseSubmitted } from './pbs-answers.ts'
import { cancelScript, historyScript, queryScript, submitScript } from './pbs-scripts.ts'
import type { AfterJob, Directives, DirectiveTable, Scheduler } from './scheduler.ts'

const directives: DirectiveTable = {
  ...commonDirectives,
  after: (jobs, { dependency }) => (dependency === undefined ? `-W depend=${afterAny(jobs).join(',')}` : []),
  dependency: (value, { after = [] }) => `-W depend=${[...[value].flat(), ...afterAny(after)].join(',')}`,
  qos: (qos) => `-l qos=${qos}`,
  constraint: 'composed',
  reservation: (reservation) => `-W x=FLAGS:ADVRES:${reservation}`,
  exclusive: 'unsupported',
  array: ({ size, concurrency, only }) =>
    `-t 0-${(only?.length ?? size) - 1}${concurrency === undefined ? '' : `%${concurrency}`}`,
}

/** An array is waited for as a whole. */
function afterAny(jobs: readonly AfterJob[]): string[] {
  return jobs.map(({ nativeId }) => `${nativeId.includes('[]') ? 'afteranyarray' : 'afterany'}:${nativeId}`)
}

/** https://docs.adaptivecomputing.com/torque/: "Requesting Resources". Memory is that of the whole job. */
function nodesOf(all: Directives): string[] {
  const { nodes = 1, tasksPerNode = 1, cores = 1, memoryBytes, gpus, nodelist, constraint } = all
  const memory = memoryBytes === undefined ? [] : [`-l mem=${pbsMemory(memoryBytes * nodes)}`]
  const asked = ['nodes', 'tasksPerNode', 'cores', 'gpus', 'nodelist', 'constraint'] as const
  if (asked.every((key) => all[key] === undefined)) return memory
  if (gpus?.type !== undefined)
    throw new ConfigError('RESOURCE_UNSUPPORTED', `torque cannot express gpus '${gpus.type}:${gpus.count}'`, {
      hint: `gpus: ${gpus.count}, with the site's name of the kind as constraint`,
    })
  const part = [
    `ppn=${cores * tasksPerNode}`,
    ...(gpus === undefined ? [] : [`gpus=${gpus.count}`]),
    ...(constraint === undefined ? [] : [constraint]),
  ].join(':')
  const hosts = nodelist === undefined ? [] : [nodelist].flat().flatMap((names) => names.split(','))
  const others = Math.max(0, nodes - hosts.length)
  const parts = [...hosts.map((host) => `${host}:${part}`), ...(others > 0 ? [`${others}:${part}`] : [])]
  return [`-l nodes=${parts.join('+')}`, ...memory]
}

/** Torque: PBS as it was, with other words for arrays and nodes, and a memory of some minutes for what has ended. */
export const torque: Scheduler = {
  name: 'torque',
  template: 'pbs.sh.liquid',
  prefix: '#PBS',
  directives,
  compose: (all) => [...commonLines, ...nodesOf(all)],
  array: {
    indexVariable: 'PBS_ARRAYID',
    base: 0,
    dense: true,
    taskId: (nativeId, task) => nativeId.replace('[]', `[${task}]`),
    // max_job_array_size is unlimited where the server does not say; sites set some thousands.
    defaultSize: 10_000,
    sizeLimit: () => ({ argv: ['qmgr', '-c', 'list server max_job_array_size'] }),
    parseSizeLimit: ({ stdout }) => {
      const size = /max_job_array_size\s*=\s*(\d+)/.exec(new TextDecoder().decode(stdout))?.[1]
      return size === undefined ? undefined : Number(size)
    },
  },
  restartCount: '0',
  detect: () => ({
    argv: ['sh', '-c', "command -v qsub >/dev/null && qstat --version 2>&1 | grep -qi '^ *version: *[0-9]'"],
  }),
  version: () => ({ argv: ['qstat', '--version'] }),
  parseVersion: ({ stdout, stderr }) =>
    /^\s*version:\s*(\S+)/im.exec(`${new TextDecoder().decode(stdout)}${stderr}`)?.[1],
  submit: (file) => script(submitScript, 'qsub', ['-C', '#PBS', file]),
  parseSubmit,
  explainSubmit,
  findSubmitted: { command: () => script(queryScript, 'qstat'), parse: parseSubmitted },
  query: () => script(queryScript, 'qstat'),
  parseQuery: parseJobs,
  // What has ended stays in the queue as C for keep_completed seconds.
  history: (ids) => script(historyScript, 'qstat', ['', ...ids]),
  parseHistory: parseJobs,
  cancel: (ids) => script(cancelScript, 'qdel', ids),
}
