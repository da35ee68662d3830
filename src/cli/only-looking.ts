import { interrupts } from '../client/session/interrupt.ts'
import { closeSessions } from '../client/session/sessions.ts'
import { exitCodes } from './exit-codes.ts'

/** Whatever becomes of this command, jobs go on: Ctrl-C leaves them. Closes connections at the end. */
export async function onlyLooking<T>(work: () => Promise<T>): Promise<T> {
  interrupts.onlyLooks = true
  // After those have said which jobs go on.
  const leave = () => setImmediate(() => process.exit(exitCodes.interrupted))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, leave)
  try {
    return await work()
  } finally {
    await closeSessions()
  }
}
