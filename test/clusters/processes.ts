import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Runs a command to its end; rejects, with its words, when it fails. */
export const run = promisify(execFile)

/** Whether a process runs. A zombie counts as gone: init may reap late in a container. */
export function isAlive(pid: number): boolean {
  return !['', 'Z', 'X'].includes(statField(pid, 0))
}

/** Field n of /proc/PID/stat after the name, which may hold spaces and brackets; '' when there is no such process. */
function statField(pid: number, n: number): string {
  try {
    return (
      readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ')[n] ?? ''
    )
  } catch {
    return '' // ended between two looks
  }
}

function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** The living processes below these, children first. */
export function descendants(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>()
  for (const pid of allPids()) {
    const parent = Number(statField(pid, 1))
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const below = (pid: number): number[] =>
    (children.get(pid) ?? []).flatMap((child) => [...below(child), child])
  return roots.flatMap(below).filter(isAlive)
}

/** The living processes of a user. */
export function processesOf(uid: number): number[] {
  return allPids().filter((pid) => {
    try {
      return statSync(`/proc/${pid}`).uid === uid && isAlive(pid)
    } catch {
      return false // ended between two looks
    }
  })
}

/** The living processes whose command line and environment (as far as we may read it) answer to a question. */
export function processesWhere(asks: (argv: string, variables: readonly string[]) => boolean): number[] {
  return allPids().filter((pid) => {
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      return asks(argv, readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')) && isAlive(pid)
    } catch {
      return false // ended between two looks, or somebody else's
    }
  })
}

/** Sends a signal to those that still run. */
export function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      if (isAlive(pid)) process.kill(pid, name)
    } catch {
      // ended between the look and the signal
    }
  }
}

/** SIGTERM, then SIGKILL after `patience` milliseconds; resolves once all are gone. */
export async function stopProcesses(pids: readonly number[], patience = 5000): Promise<void> {
  signal(pids, 'SIGTERM')
  if (await until(() => !pids.some(isAlive), patience)) return
  signal(pids, 'SIGKILL')
  await until(() => !pids.some(isAlive), 20_000)
}

/** The pid in a pid file, once it is there. */
export function pidIn(file: string): number | undefined {
  try {
    return Number(readFileSync(file, 'latin1').trim()) || undefined
  } catch {
    return undefined // not written (yet)
  }
}

/** Waits for a condition; false when `patience` milliseconds were not enough. */
export async function until(condition: () => boolean | Promise<boolean>, patience: number): Promise<boolean> {
  for (const end = Date.now() + patience; ; ) {
    if (await condition()) return true
    if (Date.now() > end) return false
    await sleep(10)
  }
}

/**
 * Ports that nothing listens on, below the range that the kernel gives to outgoing connections. Nobody else who asks gets
 * them, in other test runs either, until this process ends: what is to listen there may take its time, or be shut and opened.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = []
  while (found.length < count) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    if ((await isClaimed(port)) && (await isFree(port))) found.push(port)
  }
  return found
}

/** A name that one process of the machine has, and that is free again however it ends: of a socket that is no file. */
function isClaimed(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const claim = createServer()
    claim.once('error', () => resolve(false))
    claim.listen(`\0farcall-test-port-${port}`, () => resolve(true)).unref()
  })
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)))
  })
}
