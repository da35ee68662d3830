import type { Refusal } from './refusal.ts'

/** Slurm's things that limits count: in words, and what of a call's options asks for them. */
const things: Record<string, readonly [words: string, option?: string]> = {
  Cpu: ['cores', 'resources.cores'],
  CPU: ['cores', 'resources.cores'],
  Mem: ['memory', 'resources.memory'],
  Memory: ['memory', 'resources.memory'],
  Node: ['nodes', 'resources.nodes'],
  GRES: ['GPUs or other generic resources', 'resources.gpus'],
  License: ['licenses', 'resources.licenses'],
  BB: ['burst buffer space'],
  Billing: ['billing units'],
  Energy: ['energy'],
  Jobs: ['running jobs'],
  Job: ['jobs'],
  SubmitJobs: ['submitted jobs'],
  SubmitJob: ['submitted jobs'],
  Wall: ['wall clock time', 'resources.time'],
  WallDuration: ['wall clock time', 'resources.time'],
  Resource: ['resources'],
  Time: ['time', 'resources.time'],
  Unknown: ['resources'],
}

const form = new RegExp(
  `^(Association|Assoc|QOS|)(Grp|Max|Min|)(${Object.keys(things)
    .sort((a, b) => b.length - a.length)
    .join('|')})(RunMinutes|Minutes|)(?:Per(Job|Node|User|Account)|)(?:Limit|NotSatisfied|)$`,
)

/** AssocGrpCPURunMinutesLimit, QOSMaxMemoryPerJob, MaxJobsPerAccount … */
function readLimit(word: string) {
  const [found, owner, kind, thing, minutes, whose] = form.exec(word) ?? []
  if (found === undefined || (owner === '' && whose === undefined)) return undefined
  const [words, option] = things[thing!]!
  return {
    ofAccount: owner!.startsWith('Assoc'),
    kind,
    what: `${words}${minutes === '' ? '' : ' × minutes'}`,
    less: option === undefined ? 'ask for less' : `lower ${option}`,
    more: option === undefined ? 'ask for more' : `raise ${option}`,
    /** Of things that one job asks for, and not of how many jobs there are. */
    asked: option !== undefined,
    submitted: /Submit/.test(thing!),
    minutes,
    whose,
  }
}

/** A limit that keeps a job pending, in plain words. */
export function explainLimit(word: string): string | undefined {
  const limit = readLimit(word)
  if (!limit) return undefined
  const { kind, what, minutes, whose } = limit
  const by = limit.ofAccount ? 'your account' : 'its QOS'
  if (kind === 'Min')
    return `it asks for fewer ${what} than ${by} wants at least; cancel it, and ${limit.more}`
  if (kind === 'Max' && (whose === 'Job' || whose === 'Node'))
    return `it asks for more ${what} than ${by} allows one ${whose.toLowerCase()}; unless that is raised it will not start: cancel it, and ${limit.less}`
  if (minutes === 'Minutes' && whose === undefined)
    return `${by} has used up its ${what}; it waits until they are renewed`
  const alone = limit.asked ? `; if it asks for more than that by itself, cancel it, and ${limit.less}` : ''
  if (whose !== undefined)
    return `${by} allows one ${whose.toLowerCase()} no more ${what}; it waits for other jobs to end${alone}`
  return `${by} allows no more ${what}${limit.submitted ? '' : ' at once'}; it waits for other jobs to end${alone}`
}

/** What to do about the limit that sbatch names when it refuses a job. */
export function adviseOnLimit(said: string): Omit<Refusal, 'says'> | undefined {
  const limits = said
    .split(/\W+/)
    .map(readLimit)
    .filter((found) => found !== undefined)
  const [limit] = limits
  if (!limit) return undefined
  return { hint: adviceOn(limit), isLimit: limits.some(({ submitted }) => submitted) }
}

function adviceOn(limit: NonNullable<ReturnType<typeof readLimit>>): string {
  const { kind, what, whose } = limit
  const [by, see] = limit.ofAccount
    ? ['your account', '`sacctmgr show associations user=$USER`']
    : ['the QOS', '`sacctmgr show qos`']
  const other = `${limit.ofAccount ? 'resources.account' : 'resources.qos'} may name another (${see} shows the limits)`
  if (limit.submitted)
    return `${by} allows no more ${what}: wait until some have ended, or put more calls into each with map and a larger chunk; ${other}`
  if (kind === 'Min') return `${by} wants more ${what} for each job: ${limit.more}; ${other}`
  const each = whose === undefined ? '' : ` for one ${whose.toLowerCase()}`
  return `${by} allows fewer ${what}${each}: ${limit.asked ? limit.less : 'wait until some have ended, or ask for less'}; ${other}`
}
