import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { MemberEnd } from '../src/core/protocol.ts'
import { gpuFile, usageFile } from '../src/core/protocol.ts'
import type { DiskTraffic, GpuUsage } from '../src/core/usage.ts'
import type { Place } from './arguments.ts'
import type { Stopwatch } from './stopwatch.ts'

// Taken before user code can replace them.
const { setTimeout } = globalThis

/** Linux counts CPU time in hundredths of a second, whatever the kernel's own clock. */
const ticksPerSecond = 100
/** Between two looks: the first ones come soon, and a day has no more than some thousand. */
const looks = { first: 1_000, most: 30_000, factor: 1.3 }

type Measures = Pick<MemberEnd, 'peakMemory' | 'cpuTime' | 'disk' | 'gpu' | 'work'>

/**
 * What this member uses. Its own memory, CPU time and disks the kernel counts; those of child processes that are alive are
 * looked at now and then, while the event loop is free.
 */
export class Meter {
  readonly #run: string
  readonly #startedAt = Date.now()
  readonly #stopwatch: Stopwatch
  #peak = 0
  #living = 0
  #livingDisk = noDisk

  constructor(place: Place, stopwatch: Stopwatch) {
    this.#run = place.run
    this.#stopwatch = stopwatch
    this.#lookAfter(looks.first)
  }

  read(): Measures {
    this.#look()
    const gpu = readGpus(this.#run)
    const disk = diskOf('self')
    return {
      peakMemory: Math.max(this.#peak, process.resourceUsage().maxRSS * 1024),
      cpuTime: Math.round(cpuSeconds() * 100 + this.#living * 100) / 100,
      ...(disk ? { disk: add(disk, this.#livingDisk) } : {}),
      ...(gpu ? { gpu } : {}),
      ...this.#stopwatch.read(),
    }
  }

  #lookAfter(ms: number): void {
    setTimeout(() => {
      try {
        const { peakMemory, cpuTime, disk, work } = this.read()
        // For whoever asks meanwhile, and for job.sh, should this process be killed: it puts this into `end`.
        const file = `${this.#run}/${usageFile}`
        const elapsed = (Date.now() - this.#startedAt) / 1000
        const done = work ? `,"work":${JSON.stringify(work)}` : ''
        const disks = disk ? `,"disk":${JSON.stringify(disk)}` : ''
        const facts = `"peakMemory":${peakMemory},"cpuTime":${cpuTime},"elapsed":${elapsed}${disks}${done}
`
        writeFileSync(`${file}.new`, facts, { mode: 0o600 })
        renameSync(`${file}.new`, file)
      } catch {
        return // the folder is gone, or the disk full: that is told by those whose matter it is
      }
      this.#lookAfter(Math.min(ms * looks.factor, looks.most))
    }, ms).unref()
  }

  #look(): void {
    this.#living = 0
    this.#livingDisk = noDisk
    if (!hasChildren()) return
    const family = descendants(process.pid)
    let rss = process.memoryUsage().rss
    for (const { pid, ticks, bytes } of family) {
      rss += bytes
      this.#livingDisk = add(this.#livingDisk, diskOf(String(pid)) ?? noDisk)
      this.#living += ticks / ticksPerSecond
    }
    this.#peak = Math.max(this.#peak, rss)
  }
}

/** Of this process and of the children that have ended. */
export function cpuSeconds(): number {
  const { userCPUTime, systemCPUTime } = process.resourceUsage()
  const { waited = 0 } = statOf('self') ?? {}
  return (userCPUTime + systemCPUTime) / 1e6 + waited / ticksPerSecond
}

/** Cheaper than a look at every process of the machine. Node 16 cannot say. */
function hasChildren(): boolean {
  const { getActiveResourcesInfo } = process as { getActiveResourcesInfo?: () => string[] }
  return getActiveResourcesInfo?.().includes('ProcessWrap') ?? true
}

interface ProcessStat {
  readonly pid: number
  readonly parent: number
  /** Of the process itself, and of its children that it has waited for. */
  readonly ticks: number
  readonly waited: number
  readonly bytes: number
}

function statOf(pid: string): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const field = (number: number) => Number(fields[number - 3])
    const waited = field(16) + field(17)
    return {
      pid: Number.parseInt(text, 10),
      parent: field(4),
      ticks: field(14) + field(15) + waited,
      waited,
      bytes: field(24) * 4096,
    }
  } catch {
    return undefined // it is gone, or there is no /proc
  }
}

const noDisk: DiskTraffic = { read: 0, written: 0 }

const add = (a: DiskTraffic, b: DiskTraffic): DiskTraffic => ({
  read: a.read + b.read,
  written: a.written + b.written,
})

/** Of a process, and of its children that it has waited for. */
function diskOf(pid: string): DiskTraffic | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/io`, 'latin1')
    const count = (name: string) => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1])
    return { read: count('read_bytes'), written: count('write_bytes') }
  } catch {
    return undefined // it is gone, or this kernel does not count
  }
}

function descendants(root: number): ProcessStat[] {
  let pids: string[]
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  } catch {
    return [] // no Linux
  }
  const children = new Map<number, ProcessStat[]>()
  for (const stat of pids.map(statOf))
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), stat])
  const found: ProcessStat[] = []
  for (const open = [root]; open.length > 0; ) {
    const below = children.get(open.pop()!) ?? []
    found.push(...below)
    open.push(...below.map(({ pid }) => pid))
  }
  return found
}

/** Of the lines that nvidia-smi has written beside us: index, utilization in %, MiB used, MiB in all. */
export function readGpus(run: string): GpuUsage | undefined {
  let text: string
  try {
    text = readFileSync(`${run}/${gpuFile}`, 'latin1')
  } catch {
    return undefined // no GPU was asked for
  }
  const gpus = new Set<string>()
  let [sum, lines] = [0, 0]
  let memory = { used: 0, total: 0 }
  for (const line of text.split('\n')) {
    const [, index, busy, used, total] =
      /^(\d+), *(\d+)(?: %)?, *(\d+)(?: MiB)?, *(\d+)(?: MiB)?\s*$/.exec(line) ?? []
    if (index === undefined) continue
    gpus.add(index)
    sum += Number(busy)
    lines++
    const bytes = Number(used) * 2 ** 20
    if (bytes >= memory.used) memory = { used: bytes, total: Number(total) * 2 ** 20 }
  }
  if (lines === 0) return undefined
  return { count: gpus.size, utilization: Math.round((sum / lines) * 10) / 1000, memory }
}
