import { ConfigError } from '../core/errors.ts'
import { commonDirectives, commonLines, dependencyDirectives, pbsCommands, pbsMemory } from './pbs.ts'
import type { Directives, DirectiveTable, Scheduler } from './scheduler.ts'
import { readTorqueNode } from './torque-nodes.ts'

const directives: DirectiveTable = {
  ...commonDirectives,
  ...dependencyDirectives('afteranyarray'),
  qos: (qos) => `-l qos=${qos}`,
  constraint: 'composed',
  reservation: (reservation) => `-W x=FLAGS:ADVRES:${reservation}`,
  exclusive: 'unsupported',
  array: ({ size, concurrency, only }) =>
    `-t 0-${(only?.length ?? size) - 1}${concurrency === undefined ? '' : `%${concurrency}`}`,
}

/** https://docs.adaptivecomputing.com/torque/: "Requesting Resources". Memory is that of the whole job. */
function nodesOf(all: Directives): string[] {
  const { nodes = 1, tasksPerNode = 1, cores = 1, memoryBytes, gpus, nodelist, constraint } = all
  const hosts = nodelist === undefined ? [] : [nodelist].flat().flatMap((names) => names.split(','))
  const others = Math.max(0, nodes - hosts.length)
  const count = hosts.length + others
  const memory = memoryBytes === undefined ? [] : [`-l mem=${pbsMemory(memoryBytes * count)}`]
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
  const parts = [...hosts.map((host) => `${host}:${part}`), ...(others > 0 ? [`${others}:${part}`] : [])]
  return [`-l nodes=${parts.join('+')}`, ...memory]
}

/** Torque: PBS as it was, with other words for arrays and nodes, and a memory of some minutes for what has ended. */
export const torque: Scheduler = {
  name: 'torque',
  directives,
  compose: (all) => [...commonLines, ...nodesOf(all)],
  ...pbsCommands({
    indexVariable: 'PBS_ARRAYID',
    sizeAttribute: 'max_job_array_size',
    versionLine: '^ *version: *[0-9]',
    version: /^\s*version:\s*(\S+)/im,
    // What has ended stays in the queue as C for keep_completed seconds.
    endedOption: '',
    readNode: readTorqueNode,
  }),
}
