import { closeSync, openSync, readFileSync, statSync, unlinkSync, utimesSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'

const lookMs = 50
/** One whose holder, on another machine or in a container, has not touched it for this long was left behind. */
const staleMs = 300_000
const touchMs = 30_000
/** Between making it and writing who made it. */
const namelessMs = 5_000

/**
 * Does the work while this process has the lock: of many on one node, one after the other. One whose holder was
 * killed is taken over. It only spares work: what is done under it must be right without it.
 */
export async function withLock(path: string, work: () => Promise<void>): Promise<void> {
  while (!taken(path)) {
    if (isStale(path)) remove(path)
    else await new Promise((resolve) => setTimeout(resolve, lookMs))
  }
  const touching = setInterval(() => touch(path), touchMs)
  touching.unref()
  try {
    await work()
  } finally {
    clearInterval(touching)
    remove(path)
  }
}

function taken(path: string): boolean {
  try {
    const fd = openSync(path, 'wx', 0o600)
    writeSync(fd, `${process.pid} ${startOf(process.pid) ?? ''} ${hostname()}`)
    closeSync(fd)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function isStale(path: string): boolean {
  try {
    const [pid = '', start = '', host] = readFileSync(path, 'latin1').split(' ')
    const ageMs = Date.now() - statSync(path).mtimeMs
    if (pid === '') return ageMs > namelessMs
    return ageMs > staleMs || (host === hostname() && !isAlive(Number(pid), start))
  } catch {
    return false // it was given back just now
  }
}

function isAlive(pid: number, start: string): boolean {
  if (start !== '') return startOf(pid) === start
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** When a process began, in the kernel's ticks: process ids recur. Undefined: it is gone, or there is no /proc. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // PID 1 of a container may reap late.
    return state === 'Z' ? undefined : fields[18]
  } catch {
    return undefined
  }
}

function touch(path: string): void {
  try {
    const now = new Date()
    utimesSync(path, now, now)
  } catch {
    // somebody took us for dead
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // somebody else has done so
  }
}
