import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { Knobs } from './knobs.ts'
import type { Asked, Call, Cause, Cluster, Dialect, Job, Member } from './model.ts'
import { isOver, phaseOf } from './model.ts'

const defaults = {
  cores: 4,
  startDelay: 0,
  lag: 0,
  killDelay: 2,
  enforceMemory: true,
  history: 3600,
  maxArraySize: 1000,
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

  set(knobs: Knobs): void {
    this.knobs = { ...this.knobs, ...knobs }
    this.#start()
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
      cpuSeconds: 0,
      restarts: 0,
    }))
    const { user, uid } = call
    const job: Job = { ...asked, number: this.#next++, user, uid, submittedAt: now, members }
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
    for (const [{ pid }] of this.#running) if (pid) signalSession(pid, 'SIGKILL')
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
    const atOnce = cause === 'memory' || cause === 'node'
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
    if (job.depends.length === 0 || phaseOf(job.members[0]!).state !== 'held') return
    const fates = job.depends.map(({ kind, number }) => {
      const other = this.jobs.get(number)
      if (!other) return true
      if (kind === 'after') return other.members.some((member) => member.startedAt !== undefined)
      if (!isOver(other)) return undefined
      const good = other.members.every((member) => phaseOf(member).exitCode === 0)
      return kind === 'afterany' || good === (kind === 'afterok')
    })
    if (fates.includes(false)) this.end(job, undefined, 'dependency')
    else if (!fates.includes(undefined)) this.release(job)
  }

  #run(job: Job, member: Member): void {
    const suffix = member.index === undefined ? '' : `.${member.index}`
    const script = join(this.#folder, `job.${job.number}${suffix}`)
    writeFileSync(script, job.script, { mode: 0o700 })
    const output = openSync(job.output ?? '/dev/null', 'a')
    member.phases.push({ at: Date.now(), state: 'running' })
    member.startedAt = Date.now()
    const env = { ...job.env, ...this.#dialect.environment(job, member) }
    const child = spawn(job.shell ?? '/bin/sh', [script], {
      detached: true,
      cwd: env['HOME'] ?? '/',
      env,
      stdio: ['ignore', output, output],
    })
    closeSync(output)
    if (child.pid !== undefined) member.pid = child.pid
    this.#running.set(member, { job, child })
    child.on('error', () => this.#ended(job, member, 127, null))
    child.on('exit', (code, signal) => this.#ended(job, member, code, signal))
  }

  #ended(job: Job, member: Member, code: number | null, signal: NodeJS.Signals | null): void {
    if (!this.#running.delete(member)) return
    if (member.pid !== undefined) signalSession(member.pid, 'SIGKILL')
    const { doom: cause } = member
    delete member.doom
    delete member.pid
    const number = signal ? constants.signals[signal] : undefined
    const how = number === undefined ? { exitCode: code ?? 1 } : { signal: number }
    if ((cause === 'node' || cause === 'preempted') && job.requeue) {
      member.restarts++
      member.phases.push({ at: Date.now(), state: 'queued' })
    } else member.phases.push({ at: Date.now(), state: 'ended', ...how, ...(cause ? { cause } : {}) })
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
          member.cpuSeconds = Math.max(member.cpuSeconds, used.cpuSeconds)
        }
        const { timeSeconds = Number.POSITIVE_INFINITY, memoryBytes = Number.POSITIVE_INFINITY } = job
        if (now - member.startedAt! > timeSeconds * 1000) this.#doom(member, 'time')
        if (this.knobs.enforceMemory && used && used.bytes > memoryBytes) this.#doom(member, 'memory')
      }
    }
    for (const [number, job] of this.jobs) {
      const last = Math.max(...job.members.map((member) => phaseOf(member).at))
      if (isOver(job) && now - last >= (this.knobs.history + this.knobs.lag) * 1000 && now - last > lookMs)
        this.jobs.delete(number)
    }
    this.#start()
  }
}

interface Used {
  bytes: number
  cpuSeconds: number
}

/** Resident memory and CPU time of all processes, by session: a job's own is that of its shell. */
function readSessions(): Map<number, Used> {
  const sessions = new Map<number, Used>()
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    let stat: string
    try {
      stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    } catch {
      continue // it has ended meanwhile
    }
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const session = Number(fields[3])
    const used = sessions.get(session) ?? { bytes: 0, cpuSeconds: 0 }
    used.bytes += Number(fields[21]) * 4096
    used.cpuSeconds += (Number(fields[11]) + Number(fields[12])) / 100
    sessions.set(session, used)
  }
  return sessions
}

function signalSession(leader: number, signal: NodeJS.Signals): void {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      const session = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3])
      if (session === leader) process.kill(Number(pid), signal)
    } catch {
      // it has ended meanwhile
    }
  }
}
