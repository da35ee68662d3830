import { type NodeCapacity, type PartitionCapacity, sumNodes } from '../core/capacity.ts'
import type { CommandResult } from '../core/shell.ts'
import { readTime, requireAnswer, text } from './pbs-answers.ts'

/** Attributes of a queue or a node, by their names. */
export type Attributes = ReadonlyMap<string, string>

/** How one member of the family tells of a node, and which nodes a queue sends its jobs to. */
export interface NodeReader {
  capacity(node: Attributes): NodeCapacity
  isFor(node: Attributes, queue: string, attributes: Attributes): boolean
}

/** Of capacityScript: queues, each with the nodes that its jobs may go to. */
export function parseCapacity(result: CommandResult, { capacity, isFor }: NodeReader): PartitionCapacity[] {
  requireAnswer(result, result.exitCode)
  const [, queueList = '', server = '', nodeList = ''] =
    /^(.*?)^== server$(.*?)^== nodes$(.*)$/ms.exec(text(result)) ?? []
  const defaultQueue = /^ *default_queue = (\S+)/m.exec(server)?.[1]
  const nodes = readNodes(nodeList).map((node) => ({ node, capacity: capacity(node) }))
  return readQueues(queueList).map(({ name, attributes }) => {
    const timeLimitSeconds = readTime(attributes.get('resources_max.walltime'))
    const isRoute = attributes.get('queue_type')?.toLowerCase().startsWith('r') ?? false
    return {
      name,
      isDefault: name === defaultQueue,
      up: attributes.get('enabled') === 'True' && attributes.get('started') === 'True',
      ...(timeLimitSeconds === undefined ? {} : { timeLimitSeconds }),
      // A routing queue has none: its jobs go to another queue.
      ...(isRoute || nodes.length === 0
        ? {}
        : sumNodes(
            nodes.filter(({ node }) => isFor(node, name, attributes)).map(({ capacity: one }) => one),
          )),
    }
  })
}

function readQueues(list: string): { name: string; attributes: Attributes }[] {
  return list.split(/^(?=Queue: )/m).flatMap((block) => {
    const name = /^Queue: (\S+)/.exec(block)?.[1]
    return name === undefined ? [] : [{ name, attributes: readAttributes(block) }]
  })
}

/** Of pbsnodes: a name at the beginning of a line, and attributes below it. */
function readNodes(list: string): Attributes[] {
  return list
    .split(/^(?=\S)/m)
    .map(readAttributes)
    .filter((attributes) => attributes.has('state'))
}

/** Values go on in lines that begin with a tab. */
function readAttributes(block: string): Attributes {
  const attributes = new Map<string, string>()
  for (const line of block.replaceAll(/\n\t/g, '').split('\n')) {
    const [, key, value] = /^ {2,}([\w.-]+) = (.*)$/.exec(line) ?? []
    if (key !== undefined && !attributes.has(key)) attributes.set(key, value!.trim())
  }
  return attributes
}
