import { dirname } from 'node:path'
import { inspect } from 'node:util'
import { expect } from 'vitest'
import { type Command, type CommandResult, shellQuote } from '../core/shell.ts'
import { isFinal, type JobStatus } from '../core/status.ts'
import { renderDirectives } from '../scheduler/directives.ts'
import type { Directives, QueueEntry, QueueSnapshot, Scheduler } from '../scheduler/scheduler.ts'
import type { Transport } from '../transport/transport.ts'

/** A scheduler, real or simulated, and what it can be brought to do. */
export interface SchedulerPlace {
  /** The dialect, as the site speaks it. */
  readonly scheduler: Scheduler
  readonly transport: Transport
  /** Absolute, and seen by all nodes: scripts lie there, and what they write. */
  readonly folder: string
  /** The least that it holds a job to. */
  readonly timeLimitSeconds: number
  /** What a job asks for that is to be ended with 450 MB in use; absent: memory is not enforced. */
  readonly overMemory?: Directives
  /** Has the node of a running job fail. */
  failNode?(nativeId: string): Promise<void>
  /** What that is told as; default: 'node-failure'. */
  readonly nodeFailure?: JobStatus['reason']
  /** Has a running job give way, of partition `long`. */
  preempt?(nativeId: string): Promise<void>
}

/** What is asked of one, and how its answers are written. */
const dialects: Readonly<Record<string, { nameVariable: string; stateLine(word: string): string }>> = {
  slurm: { nameVariable: 'SLURM_JOB_NAME', stateLine: (word) => `|${word}|` },
  pbs: { nameVariable: 'PBS_JOBNAME', stateLine: (word) => `job_state = ${word}` },
  torque: { nameVariable: 'PBS_JOBNAME', stateLine: (word) => `job_state = ${word}` },
  sge: { nameVariable: 'JOB_NAME', stateLine: (word) => `<state>${word}</state>` },
}

/** An answer with exit code 0. */
export function saidBy(text: string): CommandResult {
  return { exitCode: 0, stdout: Buffer.from(text), stderr: '' }
}

/** Submits and asks, and waits until an answer is as it is to be. */
export class SchedulerBench {
  readonly #place: SchedulerPlace
  readonly #timeoutMs: number
  readonly #files = new Map<string, string>()
  #count = 0

  constructor(place: SchedulerPlace, timeoutMs: number) {
    this.#place = place
    this.#timeoutMs = timeoutMs
  }

  /** Ends what is left of jobs, and waits until it has. */
  async cancelAllBut(spared?: string): Promise<void> {
    const ids = [...this.#files.keys()].filter((id) => id !== spared)
    if (ids.length === 0) return
    await this.cancel(ids)
    await this.untilGone(ids)
    for (const id of ids) this.#files.delete(id)
  }

  async close(): Promise<void> {
    await this.cancelAllBut()
    await this.#place.transport[Symbol.asyncDispose]()
  }

  run(command: Command): Promise<CommandResult> {
    return this.#place.transport.exec(command)
  }

  /** A script that writes to "$out" and knows which "$member" it is; `path` is a folder of its own. */
  async submit(body: string, { path, ...asked }: Directives & { path?: string } = {}): Promise<string> {
    const { scheduler, folder, transport } = this.#place
    const file = [folder, path, `job.${this.#count++}.sh`].filter(Boolean).join('/')
    const all: Directives = { name: 'conformance', log: `${file}.log`, ...asked }
    const { indexVariable = '', base = 0 } = scheduler.array ?? {}
    const script = [
      '#!/bin/sh',
      ...renderDirectives(scheduler, all),
      `out=${shellQuote(`${file}.out`)}`,
      ...(all.array ? [`member=$((\${${indexVariable}} - ${base}))`] : []),
      body,
      '',
    ].join('\n')
    await this.run({ argv: ['mkdir', '-p', dirname(file)] })
    await transport.put([{ path: file, content: Buffer.from(script), mode: 0o700 }])
    const id = scheduler.parseSubmit(await this.run(scheduler.submit(file, all)))
    this.#files.set(id, file)
    return id
  }

  fileOf(id: string): string {
    return this.#files.get(id)!
  }

  /** What holds a script back until it is opened. */
  gate(): { readonly wait: string; open(): Promise<void> } {
    const path = `${this.#place.folder}/gate.${this.#count++}`
    const wait = `while [ ! -e ${shellQuote(path)} ]; do sleep 0.1; done`
    return { wait, open: async () => void (await this.run({ argv: ['touch', path] })) }
  }

  /** Has a script write its job's name, as the scheduler has it. */
  get writeName(): string {
    return `printf '%s\\n' "$${this.#dialect.nameVariable}" >"$out"`
  }

  /** A state, as an answer has it. */
  readonly asWritten = (word: string): string => this.#dialect.stateLine(word)

  get #dialect() {
    return dialects[this.#place.scheduler.name]!
  }

  /** Of a job that is not to be run again, where that can be said. */
  neverAgain(): Directives {
    return this.#place.scheduler.directives.requeue === 'unsupported' ? {} : { requeue: false }
  }

  async exists(name: string): Promise<boolean> {
    const find = ['sh', '-c', 'find "$1" ~ -maxdepth 3 -name "$2"', 'find', this.#place.folder, name]
    return new TextDecoder().decode((await this.run({ argv: find })).stdout) !== ''
  }

  async output(id: string): Promise<string> {
    const { stdout } = await this.run({ argv: ['cat', `${this.fileOf(id)}.out`] })
    return new TextDecoder().decode(stdout)
  }

  async untilOutput(id: string, text: string, timeoutMs?: number): Promise<void> {
    await this.#poll(
      () => this.output(id),
      (written) => written === text,
      timeoutMs,
    )
  }

  /** The jobs of scripts, by one question. */
  async findSubmitted(...files: readonly string[]): Promise<(string | undefined)[]> {
    const { command, parse } = this.#place.scheduler.findSubmitted!
    const answer = await this.run(command())
    return files.map((file) => parse(answer, file))
  }

  async arrayLimit(): Promise<number> {
    const { sizeLimit, parseSizeLimit, defaultSize } = this.#place.scheduler.array!
    return sizeLimit ? parseSizeLimit!(await this.run(sizeLimit()))! : defaultSize
  }

  /** Ids that no job has. */
  unknownIds(like: string, count: number): string[] {
    return Array.from({ length: count }, (_, n) => like.replace(/^\d+/, String(3_000_000 + n)))
  }

  async cancel(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const { exitCode, stderr } = await this.run(this.#place.scheduler.cancel(ids))
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
  }

  /** What the queue says. */
  async entry(id: string): Promise<QueueEntry | undefined> {
    const { scheduler } = this.#place
    return scheduler.parseQuery(await this.run(scheduler.query([id]))).get(id)
  }

  async status(id: string): Promise<JobStatus | undefined> {
    return (await this.entry(id))?.status
  }

  /** What accounting says, or what remembers ended jobs where there is none. */
  async histories(ids: readonly string[]): Promise<QueueSnapshot> {
    const { scheduler } = this.#place
    const history = scheduler.history && scheduler.parseHistory!(await this.run(scheduler.history(ids)))
    if (history) return history
    return scheduler.parseRecent!(await this.run(scheduler.recent!(ids)))
  }

  async history(id: string): Promise<QueueEntry | undefined> {
    return (await this.histories([id])).get(id)
  }

  /** Undefined: the answer does not have it. */
  memberStatus(entry: QueueEntry | undefined, member: number): JobStatus | undefined {
    return entry?.members ? (entry.members.get(member) ?? entry.rest) : entry?.status
  }

  async until(id: string, isRight: (status: JobStatus | undefined) => boolean): Promise<void> {
    await this.#poll(
      () => this.status(id),
      (status) => isRight(status),
    )
  }

  async untilEntry(id: string, isRight: (entry: QueueEntry | undefined) => boolean) {
    return this.#poll(() => this.entry(id), isRight)
  }

  async untilHistory(id: string, isRight: (entry: QueueEntry | undefined) => boolean) {
    return this.#poll(() => this.history(id), isRight)
  }

  /** In the queue, or in what is remembered. */
  async untilStatus(id: string, isRight: (status: JobStatus | undefined) => boolean) {
    return this.#poll(async () => (await this.status(id)) ?? (await this.history(id))?.status, isRight)
  }

  /** Until they are in the queue no more, or only as what has ended. */
  async untilGone(id: string | readonly string[], timeoutMs?: number): Promise<void> {
    const { scheduler } = this.#place
    const ids = [id].flat()
    const isOver = ({ state }: JobStatus) => isFinal(state)
    await this.#poll(
      async () => {
        const snapshot = scheduler.parseQuery(await this.run(scheduler.query(ids)))
        return ids.flatMap((each) => snapshot.get(each) ?? [])
      },
      (entries) =>
        entries.every(
          ({ status, members }) => isOver(status) && [...(members?.values() ?? [])].every(isOver),
        ),
      timeoutMs,
    )
  }

  /** How it ended, once that is known. */
  async ended(id: string): Promise<JobStatus | undefined> {
    const entry = await this.untilHistory(id, (seen) => seen !== undefined && isFinal(seen.status.state))
    return entry?.status
  }

  async #poll<T>(
    get: () => Promise<T>,
    isRight: (value: T) => boolean,
    timeoutMs = this.#timeoutMs,
  ): Promise<T> {
    const until = Date.now() + timeoutMs
    for (;;) {
      const value = await get()
      if (isRight(value)) return value
      if (Date.now() > until) throw new Error(`after ${timeoutMs} ms it is ${inspect(value)}`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}
