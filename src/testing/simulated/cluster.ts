import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { Knobs } from './knobs.ts'
import type { Asked, Call, Cause, Cluster, Dialect, Job, Member } from './model.ts'
import { isOver, phaseOf } from './model.ts'
import { readSessions, signalSession } from './sessions.ts'

const defaults = {
  cores: 4,
  startDelay: 0,
  lag: 0,
  killDelay: 2,
  enforceMemory: true,
  history: 3600,
  maxArraySize: 1000,
  timeScale: 1,
}

/** How often memory and time of running members are looked at. */
const lookMs = 100

/** One node with some cores, a queue before it, and real processes on it. */
export class SimulatedCluster implements Cluster {
  knobs: Knobs & typeof defaults
  readonly jobs = new Map<number, Job>()
  readonly #dialect: Dialect
  readonly #folder: string
  readonly #running = new Map<Member, { job: Job; child: ChildProcess }>()
  #next = 1

  constructor(dialect: Dialect, folder: string, knobs: Knobs) {
    this.#dialect = dialect
    this.#folder = folder
    this.knobs = { ...defaults, ...knobs }
    setInterval(() => this.#look(), lookMs)
  }

  /** What is null is again as it is by default. */
  set(changes: { readonly [K in keyof Knobs]?: Knobs[K] | null }): void {
    const given = Object.entries({ ...this.knobs, ...changes }).filter(([, value]) => value !== null)
    this.knobs = { ...defaults, ...(Object.fromEntries(given) as Knobs) }
    this.#start()
  }

  takeNumber(): number {
    return this.#next++
  }

  get asOf(): number {
    return Date.now() - this.knobs.lag * 1000
  }

  submit(asked: Asked, call: Call): Job {
    const now = Date.now()
    const first = { at: now, state: asked.held || asked.depends.length > 0 ? 'held' : 'queued' } as const
    const indexes = asked.array?.indexes ?? [undefined]
    const members = indexes.map((index) => ({
      index,
      phases: [first],
      peakMemory: 0,
      peakVirtual: 0,
      cpuSeconds: 0,
      restarts: 0,
    }))
    const { user, uid } = call
    const job: Job = { ...asked, number: this.takeNumber(), user, uid, submittedAt: now, members }
    this.jobs.set(job.number, job)
    setTimeout(() => this.#start(), this.knobs.startDelay * 1000)
    return job
  }

  end(job: Job, indexes: readonly number[] | undefined, cause: Cause): boolean {
    const open = job.members.filter(
      (member) =>
        phaseOf(member).state !== 'ended' && (indexes === undefined || indexes.includes(member.index ?? -1)),
    )
    for (const member of open) this.#doom(member, cause)
    return open.length > 0
  }

  hold(job: Job): void {
    for (const member of job.members)
      if (phaseOf(member).state === 'queued') member.phases.push({ at: Date.now(), state: 'held' })
  }

  release(job: Job): void {
    for (const member of job.members)
      if (phaseOf(member).state === 'held') member.phases.push({ at: Date.now(), state: 'queued' })
    this.#start()
  }

  /** Everything that runs ends at once, as when a node goes down. */
  failNode(cause: 'node' | 'preempted'): void {
    for (const member of [...this.#running.keys()]) this.#doom(member, cause)
  }

  stop(): void {
    for (const { pid } of this.#running.keys()) if (pid) signalSession(pid, 'SIGKILL')
  }

  #doom(member: Member, cause: Cause): void {
    const { pid } = member
    if (phaseOf(member).state !== 'running' || pid === undefined) {
      member.phases.push({ at: Date.now(), state: 'ended', cause })
      this.#start()
      return
    }
    if (member.doom) return
    member.doom = cause
    const atOnce = this.#dialect.killsAtOnce.has(cause)
    signalSession(pid, atOnce ? 'SIGKILL' : 'SIGTERM')
    if (!atOnce)
      setTimeout(() => member.pid === pid && signalSession(pid, 'SIGKILL'), this.knobs.killDelay * 1000)
  }

  #start(): void {
    let free = this.knobs.cores - [...this.#running.values()].reduce((sum, { job }) => sum + job.cores, 0)
    for (const job of this.jobs.values()) {
      if (Date.now() - job.submittedAt < this.knobs.startDelay * 1000) continue
      this.#lookAtDependencies(job)
      let active = job.members.filter((member) => this.#running.has(member)).length
      for (const member of job.members) {
        if (phaseOf(member).state !== 'queued') continue
        if (job.cores > free || active >= (job.array?.throttle ?? Number.POSITIVE_INFINITY)) break
        this.#run(job, member)
        free -= job.cores
        active++
      }
    }
  }

  #lookAtDependencies(job: Job): void {
    const first = phaseOf(job.members[0]!)
    if (job.depends.length === 0 || job.held || first.state !== 'held' || first.cause) return
    const fates = job.depends.map(({ kind, number, index }) => {
      const members = this.jobs
        .get(number)
        ?.members.filter((member) => index === undefined || member.index === index)
      if (!members) return true
      if (kind === 'after') return members.some((member) => member.startedAt !== undefined)
      if (!members.every((member) => phaseOf(member).state === 'ended')) return undefined
      const good = members.every((member) => phaseOf(member).exitCode === 0)
      return kind === 'afterany' || good === (kind === 'afterok')
    })
    if (fates.includes(false)) {
      if (this.#dialect.endsHopeless) this.end(job, undefined, 'dependency')
      else
        for (const { phases } of job.members)
          phases.push({ at: Date.now(), state: 'held', cause: 'dependency' })
    } else if (!fates.includes(undefined)) this.release(job)
  }

  #run(job: Job, member: Member): void {
    const { env: more, output: path } = this.#dialect.launch(job, member, this)
    const output = this.#openOutput(job, member, path)
    if (output === undefined) return
    const suffix = member.index === undefined ? '' : `.${member.index}`
    const script = join(this.#folder, `job.${job.number}${suffix}`)
    writeFileSync(script, job.script, { mode: 0o700 })
    member.phases.push({ at: Date.now(), state: 'running' })
    member.startedAt = Date.now()
    const env = { ...job.env, ...more }
    const argv = [job.shell ?? '/bin/sh', script]
    if (job.virtualBytes !== undefined) argv.unshift(...limited(job.virtualBytes))
    const child = spawn(argv[0]!, argv.slice(1), {
      detached: true,
      cwd: job.cwd ?? env['HOME'] ?? '/',
      env,
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    if (child.pid !== undefined) member.pid = child.pid
    this.#running.set(member, { job, child })
    child.on('error', () => this.#ended(job, member, 127, null))
    child.on('exit', (code, signal) => this.#ended(job, member, code, signal))
  }

  /** Undefined: it cannot be opened, and the member is not to run. */
  #openOutput({ appends = true }: Job, member: Member, path = '/dev/null'): number | undefined {
    try {
      return openSync(path, appends ? 'a' : 'w')
    } catch (error) {
      const { withoutOutput } = this.#dialect
      if (withoutOutput === 'runs') return openSync('/dev/null', 'a')
      const why = `can't open output file "${path}": ${systemWords(error as NodeJS.ErrnoException)}`
      const at = Date.now()
      if (withoutOutput === 'waits') member.phases.push({ at, state: 'held', cause: 'launch', why })
      else member.phases.push({ at, state: 'ended', cause: 'launch', why })
      return undefined
    }
  }

  #ended(job: Job, member: Member, code: number | null, signal: NodeJS.Signals | null): void {
    if (!this.#running.delete(member)) return
    if (member.pid !== undefined) signalSession(member.pid, 'SIGKILL')
    const { doom } = member
    delete member.doom
    delete member.pid
    delete member.isWarned
    const number = signal ? constants.signals[signal] : undefined
    const how = number === undefined ? { exitCode: code ?? 1 } : { signal: number }
    const { again, error } = this.#dialect.exitCodes ?? {}
    const asksAgain = doom === undefined && code !== null && code === again
    const cause = asksAgain ? 'requeued' : doom
    const runsAgain = ((doom === 'node' || doom === 'preempted') && job.requeue) || cause === 'requeued'
    const at = Date.now()
    if (runsAgain) {
      member.restarts++
      member.phases.push({ at, state: 'queued', ...how, ...(cause && { cause }) })
    } else if (doom === undefined && code !== null && code === error) {
      const why = `exit_status of job start = ${code}`
      member.phases.push({ at, state: 'held', ...how, cause: 'launch', why })
    } else member.phases.push({ at, state: 'ended', ...how, ...(cause && { cause }) })
    this.#start()
  }

  /** Limits, and what is forgotten. */
  #look(): void {
    const now = Date.now()
    if (this.#running.size > 0) {
      const sessions = readSessions()
      for (const [member, { job }] of this.#running) {
        const used = sessions.get(member.pid ?? -1)
        if (used) {
          member.peakMemory = Math.max(member.peakMemory, used.bytes)
          member.peakVirtual = Math.max(member.peakVirtual, used.virtualBytes)
          member.cpuSeconds = Math.max(member.cpuSeconds, used.cpuSeconds)
        }
        const { timeSeconds = none, memoryBytes = none, virtualBytes = none } = job
        const seconds = ((now - member.startedAt!) / 1000) * this.knobs.timeScale
        if (seconds > (job.warning?.afterSeconds ?? none)) this.#warn(job, member)
        if (seconds > timeSeconds) this.#doom(member, 'time')
        if (
          this.knobs.enforceMemory &&
          used &&
          (used.bytes > memoryBytes || used.virtualBytes > virtualBytes)
        )
          this.#doom(member, 'memory')
      }
    }
    for (const [number, job] of this.jobs) {
      const last = Math.max(...job.members.map((member) => phaseOf(member).at))
      if (isOver(job) && now - last >= (this.knobs.history + this.knobs.lag) * 1000 && now - last > lookMs)
        this.jobs.delete(number)
    }
    this.#start()
  }

  #warn({ warning }: Job, member: Member): void {
    if (member.isWarned || member.pid === undefined) return
    member.isWarned = true
    const { signal, toShellOnly } = warning!
    signalSession(member.pid, signal, toShellOnly)
  }
}

const none = Number.POSITIVE_INFINITY

/** Before a command: no process of it gets more address space. */
function limited(bytes: number): string[] {
  return ['/bin/sh', '-c', 'ulimit -v "$1"; shift; exec "$@"', 'sh', String(Math.ceil(bytes / 1024))]
}

function systemWords({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'No such file or directory'
  return code === 'EACCES' ? 'Permission denied' : message
}
