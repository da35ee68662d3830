import type { Session } from './session.ts'

const signals = ['SIGINT', 'SIGTERM'] as const

/** What Ctrl-C does while jobs are awaited: the profile's `interrupt`, cancel or detach. A hang-up detaches. */
class Interrupts {
  readonly #sessions = new Set<Session>()
  #again = false

  watch(session: Session): void {
    if (this.#sessions.size === 0) for (const signal of signals) process.on(signal, this.#handle)
    this.#sessions.add(session)
  }

  update(session: Session): void {
    if (session.active.length > 0) return
    this.#sessions.delete(session)
    if (this.#sessions.size === 0) for (const signal of signals) process.off(signal, this.#handle)
  }

  readonly #handle = (signal: NodeJS.Signals): void => {
    const exitCode = signal === 'SIGINT' ? 130 : 143
    if (this.#again) process.exit(exitCode)
    this.#again = true
    void this.#end().finally(() => {
      this.#again = false
      // A program with a handler of its own decides itself when it ends.
      if (process.listenerCount(signal) <= 1) process.exit(exitCode)
    })
  }

  async #end(): Promise<void> {
    for (const session of [...this.#sessions]) {
      const submissions = session.active
      const ids = submissions.map((submission) => submission.id)
      const where = session.executor.name
      if (session.profile.interrupt === 'detach') {
        process.stderr.write(`farcall: ${ids.length} job(s) go on, ${where}: ${ids.join(' ')}\n`)
        continue
      }
      process.stderr.write(`farcall: canceling ${ids.length} job(s), ${where}; once more to leave them\n`)
      for (const submission of submissions) submission.canceling = new Error('interrupted')
      try {
        const sent = submissions.filter((submission) => submission.nativeId !== undefined)
        await session.executor.cancel(sent.map(({ id }) => ({ id })))
        await session.close()
      } catch (error) {
        process.stderr.write(`farcall: they may still run: ${String(error)}\n`)
      }
    }
  }
}

export const interrupts = new Interrupts()
