/** Runs the items of a member in several processes at once; each has its own cores, GPUs and part of the memory. */
import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, existsSync, fstatSync, openSync, readFileSync, rmSync } from 'node:fs'
import { hostname, constants as os } from 'node:os'
import { dealGpus, oomKills } from '../src/core/granted.ts'
import { thisMachine } from '../src/core/machine.ts'
import type { MemberEnd, Slots as SlotsSpec } from '../src/core/protocol.ts'
import { LaunchError } from './arguments.ts'
import { readExactly } from './bundle.ts'
import { endOf, type Lost } from './lost.ts'
import type { Member } from './member.ts'
import { OutputError } from './output.ts'
import { requeueCode } from './requeue.ts'
import { type FromSlot, type LastWords, slotFiles, slotVariable, type ToSlot } from './slot-messages.ts'

/** Signals that a scheduler, or job.sh, sends to the member: they are for the processes that run its items. */
const passedOn = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const
const endings: readonly string[] = ['SIGTERM', 'SIGINT', 'SIGHUP']
const piece = 2 ** 30

export class Slots {
  readonly #member: Member
  readonly #environments: NodeJS.ProcessEnv[]
  readonly #execArgv: string[]
  readonly #megabytes: number | undefined
  readonly #children = new Map<number, ChildProcess>()
  readonly #peaks = new Map<number, number>()
  readonly #lost: Lost[] = []
  #pending: number[] = []
  #leave: string | undefined
  #ending: NodeJS.Signals | undefined
  #fatal: { error: unknown } | undefined
  #over: () => void = () => {}

  /** @throws LaunchError when the member was granted too few GPUs */
  constructor(member: Member, slots: SlotsSpec) {
    this.#member = member
    this.#pending = [...member.items]
    const machine = thisMachine()
    const gpus = dealGpus(machine, slots.count, slots.gpus)
    if (!gpus)
      throw new LaunchError(
        `${slots.count} items at once need ${slots.count * slots.gpus} GPUs on ${hostname()}, and what was granted is CUDA_VISIBLE_DEVICES=${machine.env['CUDA_VISIBLE_DEVICES'] ?? ''}`,
      )
    const memory = Number(machine.env['FARCALL_MEMORY'] ?? member.spec.resources.memoryBytes ?? 0)
    const share = Math.floor(memory / slots.count)
    this.#megabytes = memory > 0 ? Math.floor((share / 2 ** 20) * 0.85) : undefined
    this.#execArgv = this.#megabytes === undefined ? [] : [`--max-old-space-size=${this.#megabytes}`]
    this.#environments = gpus.map((own) => ({
      ...process.env,
      ...own,
      FARCALL_CORES: String(slots.cores),
      ...(memory > 0 ? { FARCALL_MEMORY: String(share) } : {}),
    }))
  }

  /** Bytes that its processes used at most, this one included; each at its own time, so that it may be less together. */
  get peakMemory(): number {
    const own = process.resourceUsage().maxRSS * 1024
    return [...this.#peaks.values()].reduce((sum, peak) => sum + peak, own)
  }

  /** How the member ended: with a reason where items have no record, since their process ended before. */
  async run(): Promise<Partial<MemberEnd>> {
    for (const signal of passedOn) process.on(signal, this.#pass)
    await new Promise<void>((resolve) => {
      this.#over = resolve
      for (let slot = 0; slot < this.#environments.length; slot++) this.#start(slot)
      this.#check()
    })
    for (const signal of passedOn) process.removeListener(signal, this.#pass)
    // As it would have ended without us: whoever sent the signal sees it.
    if (this.#ending) process.kill(process.pid, this.#ending)
    if (this.#fatal) throw this.#fatal.error
    if (this.#leave !== undefined) this.#member.leave(this.#leave)
    return endOf(this.#lost)
  }

  readonly #pass = (signal: NodeJS.Signals): void => {
    if (endings.includes(signal)) this.#ending = signal
    for (const child of this.#children.values()) child.kill(signal)
  }

  get #isStopping(): boolean {
    return this.#ending !== undefined || this.#leave !== undefined || this.#fatal !== undefined
  }

  #check(): void {
    if (this.#children.size === 0 && (this.#pending.length === 0 || this.#isStopping)) this.#over()
  }

  #start(slot: number): void {
    if (this.#pending.length === 0 || this.#isStopping) return
    const env = { ...this.#environments[slot], [slotVariable]: String(slot) }
    const child = fork(process.argv[1]!, process.argv.slice(2), {
      env,
      execArgv: this.#execArgv,
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#children.set(slot, child)
    const kills = oomKills(thisMachine())
    let item: number | undefined
    let isReady = false

    const feed = () => {
      item = this.#isStopping ? undefined : this.#pending.shift()
      if (item !== undefined) this.#member.begin(item)
      const message: ToSlot = item === undefined ? { over: true } : { run: item }
      // It may be gone just now: its exit is told.
      if (child.connected) child.send(message, () => {})
    }
    child.on('message', (message: FromSlot) => {
      try {
        if (message.kind === 'ready') isReady = true
        if (message.kind === 'progress') this.#member.progress(message.item, message.progress)
        else if (message.kind === 'launch-failed') throw new LaunchError(message.message)
        else if (message.kind === 'output-failed') throw new OutputError(message.message)
        else {
          if (message.kind === 'record') this.#record(slot, message)
          feed()
        }
      } catch (error) {
        this.#stop(error)
      }
    })
    const notStarted = (why: string) =>
      new LaunchError(`a process for its items did not start on ${hostname()}: ${why}`)
    child.on('error', (error) => {
      if (child.pid !== undefined) return this.#stop(error)
      // One that never was has no exit.
      this.#children.delete(slot)
      this.#stop(notStarted(error.message))
      this.#check()
    })
    child.on('exit', (code, signal) => {
      this.#children.delete(slot)
      try {
        const words = this.#lastWords(slot)
        if (words && 'leave' in words) this.#leave = words.leave
        else if (item !== undefined && !this.#ending && !this.#fatal) {
          const ended = words?.ended
          this.#lost.push({ item, how: this.#howItEnded(item, code, signal, ended, kills) })
        } else if (!isReady && !this.#isStopping)
          this.#fatal = { error: notStarted(String(signal ?? `exit code ${code}`)) }
        this.#start(slot)
      } catch (error) {
        // Thrown here it would be heard by nobody, and the member wait for ever.
        this.#stop(error)
      }
      this.#check()
    })
  }

  #record(
    slot: number,
    { item, record, bytes, outputs, yields, peakMemory }: Extract<FromSlot, { kind: 'record' }>,
  ): void {
    this.#peaks.set(slot, Math.max(peakMemory, this.#peaks.get(slot) ?? 0))
    const file = slotFiles.result(this.#member.place.run, item)
    if (yields) this.#member.streams.add(yields)
    this.#member.record(record, item, bytes ?? readPieces(file), outputs)
    if (!bytes) rmSync(file, { force: true })
  }

  /** All of them, at once: what they would bring could not be kept. */
  #stop(error: unknown): void {
    this.#fatal ??= { error }
    // One that could not be started has no process: Node would send the signal to all of our own group.
    for (const child of this.#children.values()) if (child.pid !== undefined) child.kill('SIGKILL')
  }

  #lastWords(slot: number): LastWords | undefined {
    const file = slotFiles.lastWords(this.#member.place.run, slot)
    if (!existsSync(file)) return undefined
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as LastWords
    } catch {
      return undefined // cut off, as where the disk is full: how it ended is told without them
    } finally {
      rmSync(file, { force: true })
    }
  }

  #howItEnded(
    item: number,
    code: number | null,
    signal: NodeJS.Signals | null,
    ended: Partial<MemberEnd> | undefined,
    kills: number | undefined,
  ): Lost['how'] {
    const where = `item ${item}`
    if (ended?.message) return { ...ended, message: `${where}: ${ended.message}` }
    const limit =
      this.#megabytes === undefined
        ? "node's own limit"
        : `limit ${this.#megabytes} MB, 85 % of its part of the memory granted`
    if (signal && ['SIGABRT', 'SIGILL', 'SIGTRAP'].includes(signal) && this.#heapIsFull())
      return { reason: 'out-of-memory', message: `${where}: node's heap is full on ${hostname()} (${limit})` }
    if (signal === 'SIGKILL' && kills !== undefined && (oomKills(thisMachine()) ?? 0) > kills)
      return {
        reason: 'out-of-memory',
        signal: 9,
        message: `${where}: the kernel killed its process on ${hostname()}, since the memory was used up`,
      }
    if (signal)
      return {
        reason: 'signal',
        signal: os.signals[signal],
        message: `${where}: its process was ended by ${signal} on ${hostname()}`,
      }
    const exitCode = code ?? requeueCode
    return {
      reason: 'exit-code',
      exitCode,
      message: `${where}: its process ended with exit code ${exitCode}`,
    }
  }

  /** V8 says so and then aborts. */
  #heapIsFull(): boolean {
    const file = openSync(`${this.#member.place.run}/log.err`, 'r')
    try {
      const { size } = fstatSync(file)
      const length = Math.min(size, 16_384)
      return Buffer.from(readExactly(file, size - length, length)).includes('heap out of memory')
    } finally {
      closeSync(file)
    }
  }
}

function readPieces(path: string): Uint8Array[] {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const pieces: Uint8Array[] = []
    for (let at = 0; at < size; at += piece) pieces.push(readExactly(file, at, Math.min(piece, size - at)))
    return pieces
  } finally {
    closeSync(file)
  }
}
