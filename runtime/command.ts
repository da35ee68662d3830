/** Runs the command of an item: what the bundle of all commands calls. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { hostname, constants as os } from 'node:os'
import {
  type CommandCall,
  type CommandResult,
  commandKey,
  type FailedCommand,
  failedCommandKey,
  tailBytes,
} from '../src/core/command.ts'
import { oomKills } from '../src/core/granted.ts'
import { thisMachine } from '../src/core/machine.ts'
import type { JobSpec } from '../src/core/protocol.ts'
import { parseWarning } from '../src/core/warning-signal.ts'
import type { Place } from './arguments.ts'
import { whyNotStarted } from './not-started.ts'
import { runGroup } from './process-group.ts'
import { type Tail, tailOfLog, tailOfPipe } from './tail.ts'

/** Of stderr, with an error: as much as that of a function tells. */
const errorTailBytes = 4_096

export function provideCommands(place: Place, spec: JobSpec): void {
  // For job.sh, where it alone is told.
  writeFileSync(`${place.run}/hears-term`, '', { mode: 0o600 })
  Reflect.set(globalThis, Symbol.for(commandKey), (call: CommandCall) => run(place, spec, call))
}

async function run(place: Place, spec: JobSpec, call: CommandCall): Promise<CommandResult> {
  const named = call.argv.map(wordOf)
  const argv = call.script === undefined ? named : scriptArgv(place, named, call.script)
  const out = tail(place, spec, 'log.out')
  const err = tail(place, spec, 'log.err')
  const kills = oomKills(thisMachine())
  const fail = (how: Omit<FailedCommand, 'stderrTail'>): never => {
    const failed: FailedCommand = { ...how, stderrTail: err.read(errorTailBytes) }
    throw Object.assign(new Error(how.message), { [failedCommandKey]: failed })
  }
  const warning = spec.resources.signal === undefined ? undefined : parseWarning(spec.resources.signal)
  let warned = false
  const ended = await runGroup(argv, {
    stdio: ['ignore', out.stdio, err.stdio],
    isWarning(name) {
      if (warned || name !== `SIG${warning?.name}`) return false
      warned = true
      return true
    },
    started({ stdout, stderr }) {
      out.follow(stdout)
      err.follow(stderr)
    },
  }).catch((error: NodeJS.ErrnoException) => fail(whyNotStarted(argv, error)))
  // Whoever told this process to end says why: it ends as it would have without a command.
  if (ended.ending) return endBy(ended.ending)
  const { code, signal } = ended
  if (signal) {
    const number = os.signals[signal]
    if (signal === 'SIGKILL' && kills !== undefined && (oomKills(thisMachine()) ?? 0) > kills)
      return fail({
        reason: 'out-of-memory',
        signal: number,
        message: `the kernel killed ${named[0]} on ${hostname()}, since the memory was used up`,
      })
    return fail({ reason: 'signal', signal: number, message: `${named[0]} was ended by ${signal}` })
  }
  const exitCode = code ?? 0
  if (exitCode !== 0 && call.check !== false)
    return fail({ reason: 'exit-code', exitCode, message: `${named[0]} ended with exit code ${exitCode}` })
  return { exitCode, stdoutTail: out.read(tailBytes), stderrTail: err.read(tailBytes), files: [] }
}

/** Items that run side by side share the logs. */
function tail(place: Place, spec: JobSpec, log: 'log.out' | 'log.err'): Tail {
  if (!spec.slots) return tailOfLog(`${place.run}/${log}`)
  return tailOfPipe(log === 'log.out' ? process.stdout : process.stderr, tailBytes)
}

/** @throws TypeError for a job's value that is no word */
function wordOf(word: unknown, index: number): string {
  const isWord = typeof word === 'number' || (typeof word === 'string' && !word.includes('\0'))
  if (isWord) return String(word)
  const what = typeof word === 'string' ? 'text with a NUL character' : word === null ? 'null' : typeof word
  throw new TypeError(
    `argv[${index}] is ${what}: a job among the arguments of a command has to give text or a number`,
  )
}

/** The script as a file, under its own name, run by what its first line says. */
function scriptArgv(place: Place, [name, ...args]: readonly string[], text: string): string[] {
  const file = `${mkdtempSync(`${place.run}/script.`)}/${name}`
  writeFileSync(file, text, { mode: 0o700 })
  // As Linux reads it: one word, and the rest as one more.
  const [, program = '/bin/sh', argument] = /^#![ \t]*([^\s]+)(?:[ \t]+(.*?))?[ \t]*\n/.exec(text) ?? []
  return [program, ...(argument ? [argument] : []), file, ...args]
}

function endBy(signal: NodeJS.Signals): Promise<never> {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
  return new Promise(() => setInterval(() => undefined, 1_000))
}
