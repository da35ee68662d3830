/** Why ranks ended that have not said so themselves: by their logs, and by what their launcher says. */
import { closeSync, existsSync, fstatSync, openSync, readdirSync, statSync } from 'node:fs'
import { hostname, constants as os } from 'node:os'
import { oomKills } from '../src/core/granted.ts'
import type { Ranks } from '../src/core/launcher.ts'
import { thisMachine } from '../src/core/machine.ts'
import { logFile } from '../src/core/protocol.ts'
import { LaunchError } from './arguments.ts'
import { readExactly } from './bundle.ts'
import type { LaunchEnd } from './launched.ts'
import type { Lost } from './lost.ts'
import type { RankFile } from './rank-files.ts'

const tail = 16_384

interface Missing {
  readonly size: number
  /** Those that have said how they ended. */
  readonly ended: readonly RankFile[]
  /** Bytes of each log when the item began. */
  readonly logs: ReadonlyMap<string, number>
  /** What the kernel had killed for memory when the item began, on this node. */
  readonly kills: number | undefined
  /** The limit of each one's heap. */
  readonly megabytes: number | undefined
}

export function logSizes(run: string): Map<string, number> {
  const logs = readdirSync(run).filter((name) => name.startsWith('log.err'))
  return new Map(logs.map((name) => [name, statSync(`${run}/${name}`).size]))
}

/** @throws LaunchError where none of them began */
export function howItEnded(
  run: string,
  { launcher }: Ranks,
  { size, ended, logs, kills, megabytes }: Missing,
  { code, signal, said }: LaunchEnd,
): Lost['how'] & { readonly rank?: number } {
  const words = firstWords(said)
  const now = new Set(readdirSync(run))
  const silent = Array.from({ length: size }, (_, rank) => rank).filter(
    (rank) => !ended.some((file) => file.rank === rank),
  )
  const began = silent.some((rank) => rank > 0 && now.has(logFile('stderr', rank)))
  if (!began && ended.length === 0 && !killed(said))
    throw new LaunchError(
      `${launcher} started no process on ${hostname()}: ${words ?? describeEnd(code, signal)}`,
    )
  const full = silent.find((rank) => heapIsFull(`${run}/${logFile('stderr', rank)}`, logs))
  if (full !== undefined)
    return {
      rank: full,
      reason: 'out-of-memory',
      message: `rank ${full}: node's heap is full (${megabytes === undefined ? "node's own limit" : `limit ${megabytes} MB, 85 % of its part of the memory granted`})`,
    }
  const by = killed(said)
  const isKernel = isOutOfMemory(said) || (kills !== undefined && (oomKills(thisMachine()) ?? 0) > kills)
  if (by || isKernel) {
    const { ranks, signal: number = 9, line = words ?? describeEnd(code, signal) } = by ?? {}
    const which =
      ranks === undefined ? 'one of the ranks' : /\D/.test(ranks) ? `ranks ${ranks}` : `rank ${ranks}`
    return {
      ...(ranks === undefined ? {} : { rank: Number.parseInt(ranks, 10) }),
      reason: isKernel ? 'out-of-memory' : 'signal',
      signal: number,
      message: isKernel
        ? `the kernel killed ${which}, since the memory was used up: ${line}`
        : `${which} was ended by signal ${number}: ${line}`,
    }
  }
  const told = words === undefined ? '' : `: ${words}`
  const exitCode = code ?? 1
  return {
    reason: 'exit-code',
    exitCode,
    message: `${size - ended.length} of ${size} ranks ended without a word, and ${launcher} with ${describeEnd(code, signal)}${told}`,
  }
}

const describeEnd = (code: number | null, signal: NodeJS.Signals | null) => signal ?? `exit code ${code}`

const isOutOfMemory = (said: string) => /out[ -]of[ -]memory|oom[-_ ]?kill/i.test(said)

/** What srun (`task 3: Killed`), Open MPI (`process rank 3 … exited on signal 9`) and farcall's own launcher say first. */
function killed(said: string): { ranks?: string; signal: number; line: string } | undefined {
  for (const text of said.split('\n')) {
    const line = text.trim()
    const ranks = /(?:tasks? |rank )(\d[\d,-]*)/.exec(line)?.[1]
    const number = /signal (\d+)/.exec(line)?.[1]
    const word = Object.keys(signalOf).find((one) => line.endsWith(`: ${one}`))
    if (number === undefined && (word === undefined || ranks === undefined)) continue
    const signal = number === undefined ? signalOf[word!]! : Number(number)
    return { ...(ranks === undefined ? {} : { ranks }), signal, line }
  }
  return undefined
}

/** As strsignal(3) calls them, and srun what the kernel did for memory. */
const signalOf: Readonly<Record<string, number>> = {
  'Out Of Memory': os.signals.SIGKILL,
  Killed: os.signals.SIGKILL,
  Terminated: os.signals.SIGTERM,
  Aborted: os.signals.SIGABRT,
  'Segmentation fault': os.signals.SIGSEGV,
  'Bus error': os.signals.SIGBUS,
  'Illegal instruction': os.signals.SIGILL,
}

/** The first line that tells of an end, else the first at all. */
function firstWords(said: string): string | undefined {
  const lines = said
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /[\p{L}\p{N}]/u.test(line))
  return lines.find((line) => /(task|rank) .*(\d|signal)|oom/i.test(line)) ?? lines[0]
}

/** V8 says so and then aborts. */
const heapIsFull = (path: string, before: ReadonlyMap<string, number>) =>
  endOf(path, tail, before.get(path.slice(path.lastIndexOf('/') + 1))).includes('heap out of memory')

/** What the rank wrote to stderr at the end, for the log of the member. */
export function lastWords(run: string, rank: number): string {
  const words = endOf(`${run}/${logFile('stderr', rank)}`, 2_048).trimEnd()
  return words === '' ? '' : `farcall: the last words of rank ${rank}:\n${words}\n`
}

/** At most so many bytes of its end, from `from` on; '' where there is no such file. */
function endOf(path: string, most: number, from = 0): string {
  if (!existsSync(path)) return ''
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const start = Math.max(from, size - most)
    return Buffer.from(readExactly(file, start, Math.max(0, size - start))).toString('utf8')
  } finally {
    closeSync(file)
  }
}
