import { basename } from 'node:path'
import type { CommandCall, CommandResult } from '../../core/command.ts'
import { ConfigError } from '../../core/errors.ts'
import { Caller } from '../caller.ts'
import { Job } from '../job/job.ts'
import type { JobArray } from '../job/job-array.ts'
import { checkOptions } from '../options/check-options.ts'
import type { ClusterOptions } from '../options/options.ts'
import { type Inputs, mapInputs } from '../payload/inputs.ts'
import { commandSnapshot } from './command-snapshot.ts'

/**
 * The words of a command: the program, and its arguments exactly as they are; no shell reads them. A job stands for the
 * text or number that it gives.
 * @example
 * import { type Argv, command } from 'farcall'
 *
 * const argv: Argv = ['echo', 'two words', 3]
 * console.log((await command(argv)).stdoutTail) // two words 3
 */
export type Argv = readonly (string | number | Job<string> | Job<number>)[]

/**
 * What a command asks for: what a function does, except for what needs one.
 * @example
 * import { type CommandOptions, command } from 'farcall'
 *
 * const options: CommandOptions = { memory: '1GB', time: '10m', check: false }
 * const { exitCode } = await command(['false'], options)
 * console.log(exitCode) // 1
 */
export interface CommandOptions extends Omit<ClusterOptions, 'parallel' | 'window' | 'probe'> {
  /** Whether an exit code other than 0 is a failure; default true. With false it is a result. */
  check?: boolean
}

/**
 * `command`, with what it has beside the call.
 * @example
 * import { command, type Command } from 'farcall'
 *
 * const run: Command = command
 * const results = await run.map([1, 2], (seed) => ['echo', seed])
 * console.log(results.map(({ stdoutTail }) => stdoutTail.trim())) // ['1', '2']
 */
export interface Command {
  (argv: Argv, options?: CommandOptions): Job<CommandResult>
  /** Runs a command for each item, as one array job. */
  map<T>(
    items: Inputs<T>,
    argv: (item: T, index: number) => Argv,
    options?: CommandOptions,
  ): JobArray<CommandResult>
  /** The job script that would be submitted. Nothing is sent. */
  script(argv: Argv, options?: CommandOptions): Promise<string>
}

const ofFunctions = ['parallel', 'window', 'probe'] as const

/**
 * Runs a program as a job: with resources, environment, staged files, retries, states, logs and cancelling as a function
 * has them. It runs in a folder of its own, unless `environment.cwd` says where; what it prints is in `job.logs()`.
 * Commands that are given in one turn of the event loop with equal options travel together, as one array job.
 *
 * @throws ConfigError OPTION_INVALID, OPTION_UNKNOWN; by rejecting: JobFailedError with the reason 'exit-code', 'signal',
 * 'launch-failed' …, and what a function's call rejects with
 * @example
 * import { writeFileSync } from 'node:fs'
 * import { command } from 'farcall'
 *
 * writeFileSync('data.txt', 'pear\napple\n')
 * const job = command(['sh', '-c', 'echo began; sort data.txt >sorted.txt'], {
 *   memory: '1GB',
 *   stage: { in: ['data.txt'], out: ['sorted.txt'] },
 * })
 * for await (const line of job.logs({ follow: true })) console.log(line)
 * const { exitCode, stdoutTail, files } = await job
 */
export const command: Command = Object.assign(
  function command(argv: Argv, options: CommandOptions = {}): Job<CommandResult> {
    return sendCommand(callOf(argv, options), options, 'command', command)
  },
  {
    map<T>(items: Inputs<T>, argv: (item: T, index: number) => Argv, options: CommandOptions = {}) {
      if (typeof argv !== 'function')
        throw invalid(
          `command.map: expected a function that gives the words of an item, got ${typeof argv}`,
          {
            hint: "command.map(seeds, (seed) => ['python', 'train.py', seed])",
          },
        )
      const lists = mapInputs(items, (item, index): [CommandCall] => [callOf(argv(item, index), options)])
      const all = { argv: [namesOf(lists)] }
      const caller = new Caller(targetOf(all, checked(options, 'command.map')))
      return caller.map<CommandResult>(lists, {}, command.map)
    },
    async script(argv: Argv, options: CommandOptions = {}) {
      const call = callOf(argv, options)
      return new Caller(targetOf(call, checked(options, 'command.script'))).script([call])
    },
  },
)

/** Of callers that are still open for more in this turn. */
const callers = new Map<string, Caller>()

/** @internal */
export function sendCommand(
  call: CommandCall,
  options: CommandOptions,
  where: string,
  hide: Function,
): Job<CommandResult> {
  const own = checked(options, where)
  // Scripts that travel together have the same directives.
  const comments = call.script?.match(/^#.*$/gm) ?? []
  const key = JSON.stringify([nameOf(call), comments, keyOf(own)])
  let caller = callers.get(key)
  if (!caller) {
    caller = new Caller(targetOf(call, own))
    callers.set(key, caller)
    setImmediate(() => callers.delete(key))
  }
  return caller.call<CommandResult>(undefined, [call], hide)
}

/** @internal */
export function targetOf(call: CommandCall, options: ClusterOptions) {
  const name = nameOf(call)
  const script = call.script === undefined ? undefined : { name, text: call.script }
  const fn = Object.defineProperty(() => undefined, 'name', { value: name })
  return { fn, site: '', options, snapshot: () => commandSnapshot(name, script) }
}

/** Options without those that are of commands alone. @throws ConfigError OPTION_INVALID, OPTION_UNKNOWN @internal */
export function checked({ check: _, ...options }: CommandOptions, where: string): ClusterOptions {
  checkOptions(options, where)
  const given = ofFunctions.find((name) => options[name as keyof typeof options] !== undefined)
  if (given) throw invalid(`${where}: ${given} is an option of functions`, { hint: 'leave it out' })
  return options
}

function callOf(argv: Argv, options: CommandOptions): CommandCall {
  requireArgv(argv)
  const { check } = options ?? {}
  if (check !== undefined && typeof check !== 'boolean') throw invalid('check: expected true or false')
  // Jobs among them become what they give.
  return { argv: [...argv] as CommandCall['argv'], ...(check === false ? { check } : {}) }
}

function requireArgv(argv: unknown): asserts argv is Argv {
  if (!Array.isArray(argv))
    throw invalid(`command: expected a list of words, got ${JSON.stringify(argv) ?? typeof argv}`, {
      hint: "command(['python', 'train.py']); for a line of shell: command(['sh', '-c', '…'])",
    })
  if (argv.length === 0 || argv[0] === '') throw invalid('command: the first word names the program')
  requireWords(argv, 'command: argv')
}

/** @throws ConfigError OPTION_INVALID @internal */
export function requireWords(words: unknown, where: string): asserts words is Argv {
  if (!Array.isArray(words)) throw invalid(`${where}: expected a list of words, got ${kindOf(words)}`)
  for (const [index, word] of words.entries()) {
    if (typeof word === 'string' && word.includes('\0'))
      throw invalid(`${where}[${index}] holds a NUL character, which no argument can hold`)
    if (typeof word !== 'string' && !Number.isFinite(word) && !(word instanceof Job))
      throw invalid(`${where}[${index}]: expected text, a number or a job, got ${kindOf(word)}`)
  }
}

const kindOf = (value: unknown) =>
  value === null || typeof value === 'number' ? String(value) : Array.isArray(value) ? 'a list' : typeof value

function nameOf({ argv: [program] }: CommandCall): string {
  return typeof program === 'string' ? basename(program) || program : 'command'
}

/** Of those that are known at once, when they are all the same. */
function namesOf(lists: Inputs<[CommandCall]>): string {
  const names = new Set(Array.isArray(lists) ? lists.map(([call]) => nameOf(call)) : [])
  return names.size === 1 ? [...names][0]! : 'command'
}

const identities = new WeakMap<object, number>()
let lastIdentity = 0

/** Equal for options that say the same; functions and signals are the same when they are the same object. */
function keyOf(options: ClusterOptions): string {
  return JSON.stringify(options, (_, value: unknown) => {
    const isOpaque =
      typeof value === 'function' || (typeof value === 'object' && value !== null && !isPlain(value))
    if (!isOpaque) return value
    const known = identities.get(value as object) ?? ++lastIdentity
    identities.set(value as object, known)
    return { identity: known }
  })
}

function isPlain(value: object): boolean {
  return Array.isArray(value) || [null, Object.prototype].includes(Object.getPrototypeOf(value))
}

function invalid(message: string, options: { hint?: string } = {}): ConfigError {
  return new ConfigError('OPTION_INVALID', message, options)
}
