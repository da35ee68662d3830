/** What `signal: 'USR1@90'` asks for: a warning before the time limit. */
export interface WarningSignal {
  /** Without SIG: 'USR1'. */
  readonly name: string
  readonly seconds: number
}

const numbers: Record<string, string> = { 1: 'HUP', 2: 'INT', 10: 'USR1', 12: 'USR2', 15: 'TERM' }

/** Slurm's own syntax, `[R|B:]signal[@seconds]`; 60 seconds where it does not say. Undefined: it is something else. */
export function parseWarning(signal: string): WarningSignal | undefined {
  const match = /^(?:[RB]+:)?(?:SIG)?([A-Z][A-Z0-9]*|\d+)(?:@(\d+))?$/i.exec(signal)
  if (!match) return undefined
  const name = numbers[match[1]!] ?? match[1]!.toUpperCase()
  return { name, seconds: Number(match[2] ?? 60) }
}
