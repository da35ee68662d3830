import { createInterface } from 'node:readline'
import { FarcallError } from '../../core/errors.ts'
import type { Profile } from '../../core/profile.ts'
import type { Executor } from '../../executor/executor.ts'
import { endNotices } from '../notify/outbox.ts'
import type { Submission } from '../submission/submission.ts'
import { waits } from '../submission/waits.ts'

/** What an interrupt needs of a place where jobs are awaited. */
export interface Interruptible {
  readonly executor: Pick<Executor, 'name'>
  readonly profile: Pick<Profile, 'interrupt'>
  readonly active: readonly Submission[]
  cancelAll(reason: unknown, leaving: boolean): Promise<void>
  close(): Promise<void>
}

type Answer = 'cancel' | 'detach' | 'go on'

const signals = ['SIGINT', 'SIGTERM'] as const
// Not process.stderr: Deno's kernel shows nothing of it.
const say = (text: string) => console.error(`farcall: ${text}`)

/** What Ctrl-C does while jobs are awaited: the profile's `interrupt`. A hang-up detaches. */
class Interrupts {
  readonly #sessions = new Set<Interruptible>()
  #again = false
  /** The program ends with what is being dealt with. */
  #leaving = false
  /** The jobs are another program's: this one only looks at them. */
  onlyLooks = false
  /** Before anything is canceled: Jupyter interrupts a kernel that it is about to kill and start again, which loses nothing. */
  patienceMs = 0
  /** SIGINT interrupts a cell, and nobody else handles it: in Deno's kernel, which goes on. */
  isInKernel = false

  watch(session: Interruptible): void {
    if (this.#sessions.size === 0) for (const signal of signals) process.on(signal, this.#handle)
    this.#sessions.add(session)
  }

  update(session: Interruptible): void {
    if (session.active.length > 0) return
    this.#sessions.delete(session)
    // While an interrupt is being dealt with, the next one is still ours.
    if (this.#sessions.size === 0 && !this.#again) this.#unlisten()
  }

  #unlisten(): void {
    for (const signal of signals) process.off(signal, this.#handle)
  }

  readonly #handle = (signal: NodeJS.Signals): void => {
    const exitCode = signal === 'SIGINT' ? 130 : 143
    if (this.#again) {
      // A notebook's kernel is interrupted again by who does not want to wait, and goes on.
      if (this.#leaving) process.exit(exitCode)
      return
    }
    this.#again = true
    // A program with a handler of its own decides itself when it ends, and may go on.
    const leaving = process.listenerCount(signal) <= 1 && !(this.isInKernel && signal === 'SIGINT')
    this.#leaving = leaving
    void this.#end(signal, leaving).then((goOn) => {
      this.#again = false
      if (leaving && !goOn) process.exit(exitCode)
      if (this.#sessions.size === 0) this.#unlisten()
    })
  }

  /** Deals with every place; whether the program goes on as if nothing had been. */
  async #end(signal: NodeJS.Signals, leaving: boolean): Promise<boolean> {
    if (this.patienceMs > 0) await new Promise((resolve) => setTimeout(resolve, this.patienceMs))
    const sessions = [...this.#sessions]
    if (this.onlyLooks) {
      for (const session of sessions) detach(session)
      return false
    }
    const asking = sessions.filter(({ profile }) => profile.interrupt === 'ask')
    const canAsk = signal === 'SIGINT' && process.stdin.isTTY && process.stderr.isTTY
    const answer = asking.length > 0 && canAsk ? await ask(asking) : 'cancel'
    if (answer === 'go on') {
      say('going on')
      return true
    }
    const wish = ({ profile }: Interruptible) => {
      if (profile.interrupt === 'ask') return answer
      return profile.interrupt ?? 'cancel'
    }
    const goOn = await Promise.all(
      sessions.map((session) => (wish(session) === 'detach' ? detach(session) : cancel(session, leaving))),
    )
    if (leaving) await endNotices()
    else interruptWaits(goOn.flat())
    return false
  }
}

/** Both give what goes on: where, and the ids. */
function detach({ active, executor }: Interruptible): string[] {
  if (active.length === 0) return []
  say(`${active.length} job(s) go on, ${executor.name}: ${idsOf(active)}`)
  return [`${executor.name}: ${idsOf(active)}`]
}

async function cancel(session: Interruptible, leaving: boolean): Promise<string[]> {
  const { active, executor } = session
  if (active.length > 0)
    say(`canceling ${active.length} job(s), ${executor.name}${leaving ? '; once more to leave them' : ''}`)
  try {
    await session.cancelAll(new Error('interrupted'), leaving)
    if (leaving) await session.close()
    return []
  } catch (error) {
    say(`they may still run: ${String(error)}`)
    return active.length > 0 ? [`${executor.name}: ${idsOf(active)}`] : []
  }
}

function interruptWaits(goOn: readonly string[]): void {
  if (goOn.length === 0) return
  waits.interrupt(
    new FarcallError('WAIT_INTERRUPTED', `interrupted; what goes on: ${goOn.join('; ')}`, {
      hint: 'await it again in another cell, or attach(id)',
    }),
  )
}

const idsOf = (active: readonly Submission[]) =>
  [...new Set(active.map(({ id, part }) => part?.of ?? id))].join(' ')

/** One question for all places; a second Ctrl-C is an answer, too. */
async function ask(sessions: readonly Interruptible[]): Promise<Answer> {
  for (const { active, executor } of sessions)
    say(`${active.length} job(s) under way, ${executor.name}: ${idsOf(active)}`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await new Promise<Answer>((resolve) => {
      terminal.on('SIGINT', () => process.exit(130))
      // The terminal is gone: nobody will answer.
      terminal.on('close', () => resolve('detach'))
      const put = () =>
        terminal.question('(c)ancel them, (d)etach: leave them running, or (g)o on? ', (text) => {
          const [letter] = text.trim().toLowerCase()
          const answer = ({ c: 'cancel', d: 'detach', g: 'go on' } as const)[letter ?? '']
          if (answer) resolve(answer)
          else put()
        })
      put()
    })
  } finally {
    terminal.close()
  }
}

/** @internal */
export const interrupts = new Interrupts()
