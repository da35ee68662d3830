import { type ChildProcess, spawn } from 'node:child_process'

/** What a scheduler, or job.sh, sends to the process that it knows. */
const passedOn = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const
type PassedOn = (typeof passedOn)[number]
const endings: readonly string[] = ['SIGTERM', 'SIGINT', 'SIGHUP']

/** Whoever sends a signal to all processes of a job is heard by the keeper within that; then the group has had it, too. */
const heardMs = 300
/** The same signal again within that is the same one: sent to all, and passed on from process to process. */
const onceMs = 1_000
/** As long as Slurm and Kubernetes wait; who waits less kills by himself. */
const graceMs = 30_000
const drainMs = 1_000

/**
 * Kills the group $1 of what it reads first when its stdin ends without a second line: this process is gone then, however
 * that came. Says which signals it gets. A signal ends `read` as well, in some shells.
 */
const keeper = `trap '' PIPE
heard= word=
for name in TERM INT HUP USR1 USR2; do trap "heard=1; echo SIG$name" "$name"; done
while :; do
  heard=
  read -r word && break
  [ -n "$heard" ] || exit 0
done
group=$word
while :; do
  heard=
  read -r word && exit 0
  [ -n "$heard" ] || break
done
kill -KILL "-$group" 2>/dev/null
`

export interface GroupEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** This process was told to end meanwhile, and the group was ended for it. */
  readonly ending: NodeJS.Signals | undefined
}

export interface GroupOptions {
  /** How the three standard files are given to it. */
  readonly stdio: ('ignore' | 'inherit' | 'pipe')[]
  /** Whether a signal is but a warning of what is to come. */
  isWarning(signal: string): boolean
  /** Its files are there, though perhaps it could not be started. */
  started(child: ChildProcess): void
}

/**
 * Runs a program as the leader of a process group of its own: signals of this process reach all of it, and nothing of it
 * stays when the program or this process has ended.
 * @throws the system's error when it cannot be started
 */
export async function runGroup(argv: readonly string[], options: GroupOptions): Promise<GroupEnd> {
  const keeping = spawn('/bin/sh', ['-c', keeper, 'farcall-keeper'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  })
  // It may be gone before us, when all processes of a job are killed.
  keeping.stdin.on('error', () => undefined)
  let group: Group | undefined
  try {
    return await new Promise<GroupEnd>((resolve, reject) => {
      keeping.on('error', reject)
      const child = spawn(argv[0]!, argv.slice(1), { stdio: options.stdio, detached: true })
      if (child.pid !== undefined) keeping.stdin.write(`${child.pid}\n`)
      const own = new Group(child, options.isWarning)
      group = own
      keeping.stdout.on('data', (words: Buffer) => own.heard(String(words)))
      child.on('error', reject)
      options.started(child)
      child.on('exit', (code, signal) => {
        own.end()
        // What it wrote last is on its way; who has left the group may keep the pipe open for ever.
        const over = () => resolve({ code, signal, ending: own.ending })
        child.on('close', over)
        setTimeout(over, drainMs).unref()
      })
    })
  } finally {
    group?.end()
    keeping.stdin.end('over\n')
  }
}

class Group {
  readonly #child: ChildProcess
  readonly #isWarning: (signal: string) => boolean
  readonly #listeners = new Map<PassedOn, () => void>()
  readonly #heardAt = new Map<string, number>()
  readonly #toldAt = new Map<string, number>()
  readonly #timers = new Set<NodeJS.Timeout>()
  ending: NodeJS.Signals | undefined

  constructor(child: ChildProcess, isWarning: GroupOptions['isWarning']) {
    this.#child = child
    this.#isWarning = isWarning
    for (const name of passedOn) {
      const listener = () => this.#told(name)
      this.#listeners.set(name, listener)
      process.on(name, listener)
    }
  }

  /** The keeper was sent these: so was all that runs here. */
  heard(words: string): void {
    for (const name of words.split('\n').filter(Boolean)) this.#heardAt.set(name, performance.now())
  }

  #told(name: PassedOn): void {
    const now = performance.now()
    if (now - (this.#toldAt.get(name) ?? Number.NEGATIVE_INFINITY) < onceMs) return
    this.#toldAt.set(name, now)
    if (endings.includes(name) && !this.#isWarning(name) && !this.ending) {
      this.ending = name
      this.#after(graceMs, () => this.#signal('SIGKILL'))
    }
    this.#after(heardMs, () => {
      const heardAt = this.#heardAt.get(name) ?? Number.NEGATIVE_INFINITY
      if (Math.abs(heardAt - now) > onceMs) this.#signal(name)
    })
  }

  #after(ms: number, work: () => void): void {
    this.#timers.add(setTimeout(work, ms))
  }

  #signal(name: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return
    try {
      process.kill(-this.#child.pid, name)
    } catch (error) {
      // Nothing is left of it.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  /** Of what the program has left running nobody would hear. */
  end(): void {
    this.#signal('SIGKILL')
    for (const timer of this.#timers) clearTimeout(timer)
    for (const [name, listener] of this.#listeners) process.off(name, listener)
  }
}
