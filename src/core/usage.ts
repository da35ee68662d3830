/**
 * What a job used against what it had asked for: bytes and seconds. What nobody knows is absent.
 * @example
 * import { cluster } from 'farcall'
 *
 * const job = cluster({ memory: '4GB', cores: 2 }, (n: number) => n * n)(6)
 * await job
 * const { memory, cpu, hints } = await job.usage()
 * console.log(memory.used, cpu.efficiency, hints)
 */
export interface JobUsage {
  /** `used`: the most at one time. */
  readonly memory: { readonly used?: number; readonly asked?: number }
  /** Wall clock. */
  readonly time: { readonly used?: number; readonly asked?: number }
  /** CPU time of all threads and child processes; `efficiency`: which part of the time of `cores` that is, 0 to 1. */
  readonly cpu: { readonly used?: number; readonly cores?: number; readonly efficiency?: number }
  /** Absent where the kernel does not count it. */
  readonly disk?: DiskTraffic
  /** Absent where no GPU was asked for, or nvidia-smi is not there. */
  readonly gpu?: GpuUsage
  /** What to ask for next time, a sentence each, where a request was far off. */
  readonly hints: readonly string[]
}

/**
 * Bytes that it and its child processes had the kernel read from disks and write to them (`read_bytes`, `write_bytes` of
 * https://man7.org/linux/man-pages/man5/proc_pid_io.5.html): not what was in memory already, nor files in memory.
 */
export interface DiskTraffic {
  readonly read: number
  readonly written: number
}

/** Of all GPUs of a job together. */
export interface GpuUsage {
  readonly count: number
  /** Mean over time and GPUs, 0 to 1. */
  readonly utilization: number
  /** Bytes: the most that one of them had in use, and the size of that one. */
  readonly memory: { readonly used: number; readonly total: number }
}

/**
 * What a map used. `memory` and `time` are those of the member that used most, which is what a request has to cover;
 * `cpu` and `disk` are those of all.
 */
export interface JobArrayUsage extends JobUsage {
  /** Of each item, in the order of the inputs. Items of one chunk share a process, and what it used. */
  readonly items: readonly JobUsage[]
  /** Of all members together, in seconds. */
  readonly sum: { readonly time: number; readonly cpu: number }
}

/** What was measured of one member. */
export interface Measured {
  /** Bytes. */
  readonly peakMemory?: number
  /** Seconds of wall clock. */
  readonly elapsed?: number
  /** Seconds. */
  readonly cpuTime?: number
  readonly disk?: DiskTraffic
  readonly gpu?: GpuUsage
}

/** The larger of each: two who measured saw parts of it. */
export function mergeMeasured(a: Measured, b: Measured): Measured {
  const most = (key: 'peakMemory' | 'elapsed' | 'cpuTime') => {
    const value = Math.max(a[key] ?? -1, b[key] ?? -1)
    return value < 0 ? {} : { [key]: value }
  }
  const gpu = a.gpu ?? b.gpu
  const disks = [a.disk, b.disk].filter((disk) => disk !== undefined)
  return {
    ...most('peakMemory'),
    ...most('elapsed'),
    ...most('cpuTime'),
    ...(disks.length > 0
      ? {
          disk: {
            read: Math.max(...disks.map(({ read }) => read)),
            written: Math.max(...disks.map(({ written }) => written)),
          },
        }
      : {}),
    ...(gpu ? { gpu } : {}),
  }
}
