import { constants } from 'node:os'

/** Numbers of signals, for the shell's convention: exit code 128 + number. */
export const signalNumbers: Readonly<Partial<Record<string, number>>> = constants.signals
