import type { Profile } from '../core/profile.ts'
import type { Executor } from '../executor/executor.ts'
import type { Submission } from './submission.ts'

/** What an interrupt needs of a place where jobs are awaited. */
export interface Interruptible {
  readonly executor: Pick<Executor, 'name'>
  readonly profile: Pick<Profile, 'interrupt'>
  readonly active: readonly Submission[]
  cancelAll(reason: unknown, leaving: boolean): Promise<void>
  close(): Promise<void>
}

const signals = ['SIGINT', 'SIGTERM'] as const

/** What Ctrl-C does while jobs are awaited: the profile's `interrupt`, cancel or detach. A hang-up detaches. */
class Interrupts {
  readonly #sessions = new Set<Interruptible>()
  #again = false

  watch(session: Interruptible): void {
    if (this.#sessions.size === 0) for (const signal of signals) process.on(signal, this.#handle)
    this.#sessions.add(session)
  }

  update(session: Interruptible): void {
    if (session.active.length > 0) return
    this.#sessions.delete(session)
    if (this.#sessions.size === 0) for (const signal of signals) process.off(signal, this.#handle)
  }

  readonly #handle = (signal: NodeJS.Signals): void => {
    const exitCode = signal === 'SIGINT' ? 130 : 143
    if (this.#again) process.exit(exitCode)
    this.#again = true
    // A program with a handler of its own decides itself when it ends, and may go on.
    const leaving = process.listenerCount(signal) <= 1
    void this.#end(leaving).finally(() => {
      this.#again = false
      if (leaving) process.exit(exitCode)
    })
  }

  async #end(leaving: boolean): Promise<void> {
    for (const session of [...this.#sessions]) {
      const ids = session.active.map((submission) => submission.id)
      const where = session.executor.name
      if (session.profile.interrupt === 'detach') {
        process.stderr.write(`farcall: ${ids.length} job(s) go on, ${where}: ${ids.join(' ')}\n`)
        continue
      }
      process.stderr.write(`farcall: canceling ${ids.length} job(s), ${where}; once more to leave them\n`)
      try {
        await session.cancelAll(new Error('interrupted'), leaving)
        if (leaving) await session.close()
      } catch (error) {
        process.stderr.write(`farcall: they may still run: ${String(error)}\n`)
      }
    }
  }
}

/** @internal */
export const interrupts = new Interrupts()
