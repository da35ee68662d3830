import { interrupts } from '../client/session/interrupt.ts'
import { waits } from '../client/submission/waits.ts'
import { denoJupyter } from './screen.ts'

// Deno's kernel has no handler of an interrupt: without one it would die, and a cell that waits is not ended by it.
if (denoJupyter()) {
  interrupts.isInKernel = true
  waits.areOurs = true
  // What is written to stderr appears nowhere: only the console does.
  process.on('warning', ({ name, message }) => {
    if (name === 'farcall' || message.startsWith('farcall: ')) console.error(`${name}: ${message}`)
  })
}
