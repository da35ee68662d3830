import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Owner } from './types.ts'

/** Of a job that no process follows. */
export const nobody: Owner = { host: '', bootId: '', pid: 0, startTime: '' }

let ours: Owner | undefined

/** This process, for records, claims and leases. */
export function thisProcess(): Owner {
  ours ??= {
    host: hostname(),
    bootId: read('/proc/sys/kernel/random/boot_id').trim(),
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
  }
  return ours
}

/** Whether it is a process of this machine that has ended. Of other machines nothing is known. */
export function isDead(owner: Owner, here: Owner = thisProcess()): boolean {
  if (owner.host !== here.host) return false
  if (owner.bootId !== here.bootId) return true
  if (owner.startTime !== '') return startTimeOf(owner.pid) !== owner.startTime
  try {
    process.kill(owner.pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

export function isSame(a: Owner, b: Owner): boolean {
  return a.host === b.host && a.bootId === b.bootId && a.pid === b.pid && a.startTime === b.startTime
}

/** Ticks since boot, of a process that runs; a zombie does not. */
function startTimeOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`)
  // The name, in parentheses, may hold anything; field 3 follows it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // No such process, or no /proc (macOS): then nothing is told, and the pid alone has to do.
    return ''
  }
}
