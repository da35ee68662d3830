import { sizeOf } from '../../core/launcher.ts'
import type { JobSpec } from '../../core/protocol.ts'
import { formatMemory, formatMemoryOf, formatSeconds, formatSecondsOf } from '../../core/units.ts'
import type { DiskTraffic, JobArrayUsage, JobUsage, Measured } from '../../core/usage.ts'

const gigabyte = 2 ** 30
/** A request that is less than this much used is far off; one that is more than that used is near its limit. */
const [farOff, near] = [1 / 4, 0.9]
/** What is worth a word: memory that others could have, limits that keep a job waiting, work that took a while. */
const worthwhile = { bytes: gigabyte, limitSeconds: 3600, seconds: 60 }

/** Node alone wants a good part of it. */
const leastBytes = Math.floor((256 * 2 ** 20) / 1.5)

type Asked = Pick<JobSpec, 'resources' | 'ranks'>

/** Of all processes that run an item together. */
const coresOf = ({ resources: { cores }, ranks }: Asked) =>
  cores !== undefined && ranks ? cores * sizeOf(ranks) : cores

/** What a member used, against what it had asked for. */
export function usageOf(asked: Asked, measured: Measured): JobUsage {
  const { peakMemory, elapsed, cpuTime, disk, gpu } = measured
  const { memoryBytes, timeSeconds } = asked.resources
  const cores = coresOf(asked)
  const facts: Facts = {
    memory: defined({ used: peakMemory, asked: memoryBytes }),
    time: defined({ used: elapsed, asked: timeSeconds }),
    cpu: defined({ used: cpuTime, cores, efficiency: efficiencyOf(cpuTime, elapsed, cores) }),
    ...(disk ? { disk } : {}),
    ...(gpu ? { gpu } : {}),
  }
  return { ...facts, hints: hintsOf(facts, asked.ranks !== undefined) }
}

/** The same of a map: `members` of each item. */
export function arrayUsageOf(
  asked: Asked,
  members: ReadonlyMap<number, Measured>,
  memberOf: readonly number[],
): JobArrayUsage {
  const all = [...members.values()]
  const most = (key: 'peakMemory' | 'elapsed') => maximum(all.map((one) => one[key]))
  const sum = (key: 'elapsed' | 'cpuTime') => all.reduce((total, one) => total + (one[key] ?? 0), 0)
  const measured = defined({ peakMemory: most('peakMemory'), elapsed: most('elapsed') })
  const whole = usageOf(asked, measured)
  const cores = coresOf(asked)
  // Of members whose CPU time nobody knows, none can be told for all.
  const known = all.length > 0 && all.every(({ cpuTime }) => cpuTime !== undefined)
  const cpuTime = known ? sum('cpuTime') : undefined
  const disk = diskOf(all)
  const gpu = meanOf(all)
  const facts: Facts = {
    memory: whole.memory,
    time: whole.time,
    cpu: defined({ used: cpuTime, cores, efficiency: efficiencyOf(cpuTime, sum('elapsed'), cores) }),
    ...(disk ? { disk } : {}),
    ...(gpu ? { gpu } : {}),
  }
  const usages = new Map([...members].map(([member, one]) => [member, usageOf(asked, one)]))
  return {
    ...facts,
    hints: hintsOf(facts, asked.ranks !== undefined),
    items: memberOf.map((member) => usages.get(member) ?? usageOf(asked, {})),
    sum: { time: sum('elapsed'), cpu: sum('cpuTime') },
  }
}

type Facts = Omit<JobUsage, 'hints'>

function efficiencyOf(cpu: number | undefined, wall: number | undefined, cores: number | undefined) {
  if (cpu === undefined || !wall || cores === undefined) return undefined
  return Math.round((cpu / (wall * cores)) * 1000) / 1000
}

/** Of members that have said so. */
function diskOf(all: readonly Measured[]): DiskTraffic | undefined {
  const disks = all.flatMap(({ disk }) => (disk ? [disk] : []))
  if (disks.length === 0) return undefined
  const sum = (key: keyof DiskTraffic) => disks.reduce((total, disk) => total + disk[key], 0)
  return { read: sum('read'), written: sum('written') }
}

function meanOf(all: readonly Measured[]): JobUsage['gpu'] {
  const gpus = all.flatMap(({ gpu }) => (gpu ? [gpu] : []))
  const [first] = gpus
  if (!first) return undefined
  const utilization = gpus.reduce((total, gpu) => total + gpu.utilization, 0) / gpus.length
  const fullest = gpus.reduce((most, gpu) => (gpu.memory.used > most.memory.used ? gpu : most), first)
  return { count: first.count, utilization: Math.round(utilization * 1000) / 1000, memory: fullest.memory }
}

/** `spread`: over processes, of which `cores` says what each has. */
function hintsOf({ memory, time, cpu, gpu }: Facts, spread: boolean): string[] {
  const long = (time.used ?? 0) >= worthwhile.seconds
  return [memoryHint(memory), timeHint(time), long && !spread && coresHint(cpu), long && gpuHint(gpu)].filter(
    (hint) => typeof hint === 'string',
  )
}

function memoryHint({ used, asked }: JobUsage['memory']): string | undefined {
  if (used === undefined || asked === undefined) return undefined
  const said = `used ${formatMemoryOf(used, asked)}`
  if (used > asked * near) return `${said}, close to the limit: ask for memory: '${raise(asked, used)}'`
  const wasted = used < asked * farOff && asked - used >= worthwhile.bytes
  return wasted ? `${said}: ask for memory: '${raise(Math.max(used, leastBytes))}'` : undefined
}

function timeHint({ used, asked }: JobUsage['time']): string | undefined {
  if (used === undefined || asked === undefined) return undefined
  const said = `ran ${formatSecondsOf(used, asked)}`
  if (used > asked * near) return `${said}, close to the limit: ask for time: '${minutes(asked * 1.5)}'`
  const wasted = used < asked * farOff && asked >= worthwhile.limitSeconds
  return wasted ? `${said}: ask for time: '${minutes(used * 2)}', and it may start sooner` : undefined
}

function coresHint({ cores, efficiency }: JobUsage['cpu']): string | undefined {
  if (cores === undefined || efficiency === undefined || cores < 2 || efficiency >= 0.5) return undefined
  const busy = efficiency * cores
  const enough = Math.max(1, Math.ceil(busy * 1.25))
  return `used ${tenth(busy)} of ${cores} cores: ask for cores: ${enough}, or spread the work over worker threads`
}

function gpuHint(gpu: JobUsage['gpu']): string | undefined {
  if (!gpu || gpu.utilization >= 0.1) return undefined
  return `its GPU${gpu.count > 1 ? 's were' : ' was'} busy ${tenth(gpu.utilization * 100)} % of the time: is it used at all?`
}

/** 'used 15.9 of 16 GB' */
export function describeMemory({ used, asked }: JobUsage['memory']): string | undefined {
  if (used === undefined) return undefined
  return `used ${asked === undefined ? formatMemory(used) : formatMemoryOf(used, asked)}`
}

/** 'ran 61 of 60 s' */
export function describeTime({ used, asked }: JobUsage['time']): string | undefined {
  if (used === undefined) return undefined
  return `ran ${asked === undefined ? formatSeconds(used) : formatSecondsOf(used, asked)}`
}

/** Half as much again, of what it had or of what it used, in whole units. */
export function raise(asked: number, used = 0): string {
  const bytes = Math.max(asked, used) * 1.5
  return bytes < gigabyte ? `${Math.ceil(bytes / 2 ** 20)}MB` : `${Math.ceil(bytes / gigabyte)}GB`
}

/** '1h30min', in whole minutes. */
function minutes(seconds: number): string {
  const all = Math.ceil(seconds / 60)
  const hours = Math.floor(all / 60)
  if (hours === 0) return `${all}min`
  return all % 60 === 0 ? `${hours}h` : `${hours}h${all % 60}min`
}

const tenth = (value: number) => Math.round(value * 10) / 10

function maximum(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : known.reduce((a, b) => Math.max(a, b))
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function defined<T extends object>(record: T): Defined<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Defined<T>
}
