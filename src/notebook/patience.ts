import { interrupts } from '../client/session/interrupt.ts'
import { findScreen } from './screen.ts'

// Long enough for a kernel to be killed.
if (findScreen()) interrupts.patienceMs = 1_000
