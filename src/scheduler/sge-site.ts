import type { Profile } from '../core/profile.ts'
import type { CommandResult } from '../core/shell.ts'
import { text } from './sge-answers.ts'

/** A resource that is asked for with -l. */
export interface SgeResource {
  readonly name: string
  /** What is asked for goes to each slot of a job, and not to the job. */
  readonly perSlot: boolean
  /** A node has less of it with each job: else it is a limit, or something to choose nodes by. */
  readonly counted: boolean
}

/** How a site has set up its Grid Engine, as far as directives need to know. */
export interface SgeSite {
  /** Gives a job its slots on one node; undefined: none is known. */
  readonly parallelEnvironment: string | undefined
  readonly memory: readonly SgeResource[]
  /** Undefined: there is none. */
  readonly gpus: SgeResource | undefined
  readonly exclusive: string | undefined
  readonly maxArrayTasks: number
  /** That a user may have there, waiting or running; an array is one. Undefined: no limit is known. */
  readonly maxJobs: number | undefined
  /** Whether the site was asked, or this is how Grid Engine comes. */
  readonly asked: boolean
}

/** max_aj_tasks as Grid Engine comes. */
const usualArrayTasks = 75_000

/** Grid Engine as it comes, for a script that is shown before anybody has connected. */
export const usualSite: SgeSite = {
  parallelEnvironment: 'smp',
  memory: [{ name: 'h_vmem', perSlot: true, counted: false }],
  gpus: { name: 'gpu', perSlot: true, counted: true },
  exclusive: 'exclusive',
  maxArrayTasks: usualArrayTasks,
  maxJobs: undefined,
  asked: false,
}

/** Which resource stands for memory where several are there: the first that is counted. */
const memoryNames = [
  'h_vmem',
  'm_mem_free',
  'mem_free',
  'h_rss',
  's_vmem',
  'virtual_free',
  'mem',
  'memory',
  'ram',
]
const gpuNames = ['gpu', 'gpus', 'ngpus', 'gpu_card', 'gpucards', 'num_gpu', 'cuda', 'nvidia_gpu']

/** What the profile says, else what siteScript has told. */
export function readSite(answer: CommandResult | undefined, { gridEngine = {} }: Profile): SgeSite {
  const told = answer?.exitCode === 0 ? readAnswer(text(answer)) : usualSite
  const complexes = answer?.exitCode === 0 ? readComplexes(text(answer)) : undefined
  const resource = (name: string): SgeResource =>
    complexes?.find((one) => one.name === name) ?? { name, perSlot: true, counted: false }
  const { parallelEnvironment = told.parallelEnvironment, memoryResource, gpuResource } = gridEngine
  return {
    ...told,
    parallelEnvironment,
    memory: memoryResource === undefined ? told.memory : [memoryResource].flat().map(resource),
    gpus: gpuResource === undefined ? told.gpus : resource(gpuResource),
  }
}

function readAnswer(answer: string): SgeSite {
  const complexes = readComplexes(answer)
  const memory = memoryNames.flatMap(
    (name) => complexes.find((one) => one.name === name && one.type === 'MEMORY') ?? [],
  )
  const tasks = Number(/^max_aj_tasks\s+(\d+)/m.exec(answer)?.[1] ?? usualArrayTasks)
  return {
    parallelEnvironment: parallelEnvironments(answer).find(({ onOneNode }) => onOneNode)?.name,
    memory: [memory.find(({ counted }) => counted) ?? memory[0]].filter((one) => one !== undefined),
    gpus: gpuNames.flatMap((name) => complexes.find((one) => one.name === name && one.counted) ?? [])[0],
    exclusive: complexes.find(({ relation }) => relation === 'EXCL')?.name,
    // 0: no limit.
    maxArrayTasks: tasks === 0 ? Number.POSITIVE_INFINITY : tasks,
    maxJobs: readMaxJobs(answer),
    asked: true,
  }
}

/** max_u_jobs of the user, max_jobs of all users together; 0: no limit (sge_conf(5)). */
function readMaxJobs(answer: string): number | undefined {
  const limits = [...answer.matchAll(/^max_(?:u_)?jobs\s+(\d+)/gm)]
    .map(([, most]) => Number(most))
    .filter((most) => most > 0)
  return limits.length === 0 ? undefined : Math.min(...limits)
}

interface Complex extends SgeResource {
  readonly type: string
  readonly relation: string
}

/** Of `qconf -sc`: name, shortcut, type, relop, requestable, consumable, default, urgency. */
function readComplexes(answer: string): Complex[] {
  const section = /^== complexes$(.*?)(?=^== |$(?![\s\S]))/ms.exec(answer)?.[1] ?? ''
  return section.split('\n').flatMap((line) => {
    const [name, , type, relation, requestable, consumable] = line.trim().split(/\s+/)
    if (!name || name.startsWith('#') || consumable === undefined || requestable === 'NO') return []
    const counted = consumable !== 'NO'
    // Limits of processes are multiplied by the slots, counted or not; JOB is counted once for all of them.
    const perSlot = consumable === 'YES' || (!counted && /^[hs]_/.test(name))
    return [{ name, type: type!, relation: relation!, counted, perSlot }]
  })
}

function parallelEnvironments(answer: string): { name: string; onOneNode: boolean }[] {
  return answer
    .split(/^== pe$/m)
    .slice(1)
    .flatMap((block) => {
      const name = /^pe_name\s+(\S+)/m.exec(block)?.[1]
      return name ? [{ name, onOneNode: /^allocation_rule\s+\$pe_slots/m.test(block) }] : []
    })
}
