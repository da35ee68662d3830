/** Runs each item of a member in several processes together, which a launcher starts anew for each. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { FileError } from '../src/core/errors.ts'
import { oomKills } from '../src/core/granted.ts'
import { type Ranks, sizeOf } from '../src/core/launcher.ts'
import { thisMachine } from '../src/core/machine.ts'
import { checkpointFile, type MemberEnd } from '../src/core/protocol.ts'
import { parseWarning } from '../src/core/warning-signal.ts'
import { LaunchError } from './arguments.ts'
import { Launched, missing } from './launched.ts'
import { launchCommand, mpiKind, passedOn } from './launchers.ts'
import { endOf, type Lost } from './lost.ts'
import type { Member } from './member.ts'
import { cpuSeconds } from './meter.ts'
import { OutputError } from './output.ts'
import { howItEnded, lastWords, logSizes } from './rank-ends.ts'
import { listRanks, type RankFile, ranksFolder, readRank, writtenAt } from './rank-files.ts'
import { encodeThrown } from './values.ts'

export class RankedItems {
  readonly #member: Member
  readonly #ranks: Ranks
  readonly #size: number
  readonly #environment: NodeJS.ProcessEnv
  readonly #execArgv: string[]
  readonly #megabytes: number | undefined
  /** Bytes of the node; 0 where nobody set a limit. */
  readonly #memory: number
  readonly #warning: string | undefined
  readonly #lost: Lost[] = []
  /** Bytes by host, at most; seconds in all. */
  readonly #peaks = new Map<string, number>()
  #cpuTime = 0
  #leave: string | undefined
  #ending: NodeJS.Signals | undefined
  #launched: Launched | undefined

  constructor(member: Member, ranks: Ranks) {
    this.#member = member
    this.#ranks = ranks
    this.#size = sizeOf(ranks)
    const { resources } = member.spec
    const { env } = thisMachine()
    // What the node has is for all of its processes.
    this.#memory = Number(env['FARCALL_MEMORY'] ?? resources.memoryBytes ?? 0)
    const memory = Math.floor(this.#memory / ranks.perNode)
    const cores = resources.cores ?? Math.floor(Number(env['FARCALL_CORES'] ?? 0) / ranks.perNode)
    this.#megabytes = memory > 0 ? Math.floor((memory / 2 ** 20) * 0.85) : undefined
    this.#execArgv = this.#megabytes === undefined ? [] : [`--max-old-space-size=${this.#megabytes}`]
    this.#environment = {
      ...process.env,
      ...(cores > 0 ? { FARCALL_CORES: String(cores) } : {}),
      ...(memory > 0 ? { FARCALL_MEMORY: String(memory) } : {}),
    }
    const warning = resources.signal === undefined ? undefined : parseWarning(resources.signal)
    this.#warning = warning && `SIG${warning.name}`
  }

  /** Bytes that its processes used at most on one node, this one included where it is that. */
  get peakMemory(): number {
    const own = process.resourceUsage().maxRSS * 1024
    return Math.max(...[...this.#peaks].map(([host, peak]) => (host === hostname() ? peak + own : peak)), own)
  }

  get cpuTime(): number {
    const { userCPUTime, systemCPUTime } = process.resourceUsage()
    const ranks = this.#cpuTime + (userCPUTime + systemCPUTime) / 1e6
    return Math.round(100 * Math.max(cpuSeconds(), ranks)) / 100
  }

  /** How the member ended: with a reason where items have no record, since a process of theirs ended before. */
  async run(): Promise<Partial<MemberEnd>> {
    const { place, items, leave } = this.#member
    mkdirSync(ranksFolder(place.run), { recursive: true, mode: 0o700 })
    for (const signal of signals) process.on(signal, this.#pass)
    for (const item of items) {
      await this.#run(item)
      if (this.#ending !== undefined || this.#leave !== undefined) break
    }
    for (const signal of signals) process.removeListener(signal, this.#pass)
    // As it would have ended without us: whoever sent the signal sees it.
    if (this.#ending) process.kill(process.pid, this.#ending)
    if (this.#leave !== undefined) leave(this.#leave)
    rmSync(ranksFolder(place.run), { recursive: true, force: true })
    return endOf(this.#lost)
  }

  readonly #pass = (signal: NodeJS.Signals): void => {
    // The ranks see it by a file: not every one hears a signal yet, or will.
    if (signal === this.#warning && this.#isWarned()) return
    if (endings.includes(signal)) this.#ending = signal
    this.#launched?.kill(signal)
  }

  #isWarned(): boolean {
    return readdirSync(this.#member.place.run).includes('warned')
  }

  async #run(item: number): Promise<void> {
    const { place, files, begin } = this.#member
    begin(item)
    files.begin(item)
    const logs = logSizes(place.run)
    const kills = oomKills(thisMachine())
    const launched = new Launched(this.#command(item), this.#environment, `${place.run}/launcher.log`, () =>
      this.#hasFailed(item),
    )
    this.#launched = launched
    const how = await launched.over
    this.#launched = undefined
    if (this.#ending !== undefined) return
    const ended = listRanks(place.run, item)
    this.#measure(ended)
    const file = this.#verdict(ended)
    if (file?.kind === 'leave') this.#leave = readRank(file).words.message ?? ''
    else if (file) this.#take(item, file)
    else {
      const missing = { size: this.#size, ended, logs, kills, megabytes: this.#megabytes }
      const { rank, ...lost } = howItEnded(place.run, this.#ranks, missing, how)
      process.stderr.write(how.said)
      if (lost.reason === 'out-of-memory')
        this.#filled(lost.signal === undefined ? this.#megabytes : undefined)
      this.#lose(item, rank, lost)
    }
    if (this.#leave === undefined) for (const { path } of ended) rmSync(path, { force: true })
  }

  #command(item: number): readonly string[] {
    const { place, spec } = this.#member
    const { launcher } = this.#ranks
    return launchCommand({
      ranks: this.#ranks,
      cores: spec.resources.cores,
      mpi: launcher === 'mpirun' ? mpiKind(versionOf('mpirun', this.#environment)) : undefined,
      variables: passedOn(Object.keys(this.#environment)),
      self: [process.execPath, process.argv[1]!],
      run: place.run,
      umask: process.umask().toString(8),
      cwd: process.cwd(),
      argv: [
        process.execPath,
        ...this.#execArgv,
        process.argv[1]!,
        ...process.argv.slice(2, 6),
        String(item),
      ],
    })
  }

  #hasFailed(item: number): boolean {
    return listRanks(this.#member.place.run, item).some(({ kind }) => kind !== 'value' && kind !== 'leave')
  }

  /** What one of them says for all; undefined: some have ended without a word, and nobody says why. */
  #verdict(ended: readonly RankFile[]): RankFile | undefined {
    const of = (...kinds: readonly RankFile['kind'][]) => ended.filter(({ kind }) => kinds.includes(kind))
    // What ended the others was the first to fail.
    const [failed] = of('launch-failed', 'output-failed', 'error', 'ended').sort(
      (a, b) => writtenAt(a) - writtenAt(b),
    )
    if (failed) return failed
    if (ended.length < this.#size) return undefined
    return of('leave')[0] ?? ended[0]
  }

  #take(item: number, file: RankFile): void {
    const { files, record, place } = this.#member
    const { rank, kind } = file
    const { words, bytes } = readRank(file)
    const message = `rank ${rank} on ${words.host}: ${words.message ?? words.ended?.message ?? kind}`
    if (kind === 'launch-failed') throw new LaunchError(message)
    if (kind === 'output-failed') throw new OutputError(message)
    if (kind === 'ended') {
      this.#lose(item, rank, { ...words.ended, message })
      return
    }
    files.except(words.given ?? [])
    try {
      files.end(item, kind === 'error')
      record(kind === 'error' ? 'error' : 'value', item, bytes)
    } catch (error) {
      if (!(error instanceof FileError)) throw error
      files.end(item, true)
      record('error', item, [encodeThrown(undefined, error)])
    }
    for (let each = 0; each < this.#size; each++)
      rmSync(`${place.run}/${checkpointFile(item, each)}`, { force: true })
  }

  #lose(item: number, rank: number | undefined, how: Lost['how']): void {
    // The member's log is that of rank 0, and what is shown of a job that failed.
    if (rank) process.stderr.write(lastWords(this.#member.place.run, rank))
    const many = this.#member.spec.chunk > 1 ? { message: `item ${item}: ${how.message}` } : {}
    this.#lost.push({ item, how: { ...how, ...many } })
  }

  /** One that was ended for its memory has not said how much that was: it was all that it had, or that its node had. */
  #filled(megabytes: number | undefined): void {
    const bytes = megabytes === undefined ? this.#memory : megabytes * 2 ** 20
    this.#peaks.set('', Math.max(bytes, this.#peaks.get('') ?? 0))
  }

  #measure(ended: readonly RankFile[]): void {
    const now = new Map<string, number>()
    for (const file of ended) {
      const { host, peakMemory, cpuTime } = readRank(file).words
      now.set(host, (now.get(host) ?? 0) + peakMemory)
      this.#cpuTime += cpuTime
    }
    for (const [host, peak] of now) this.#peaks.set(host, Math.max(peak, this.#peaks.get(host) ?? 0))
  }
}

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const
const endings: readonly string[] = ['SIGTERM', 'SIGINT', 'SIGHUP']

/** @throws LaunchError where there is no such launcher */
function versionOf(launcher: string, env: NodeJS.ProcessEnv): string {
  const { stdout, stderr, error } = spawnSync(launcher, ['--version'], { env, encoding: 'utf8' })
  if (error) throw missing(launcher, error)
  return `${stdout}${stderr}`
}
