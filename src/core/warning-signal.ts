/** What `signal: 'USR1@90'` asks for: a warning before the time limit. */
export interface WarningSignal {
  /** Without SIG: 'USR1'. */
  readonly name: string
  readonly seconds: number
}

const numbers = new Map([
  ['1', 'HUP'],
  ['2', 'INT'],
  ['10', 'USR1'],
  ['12', 'USR2'],
  ['15', 'TERM'],
])

/** Slurm counts no more. */
const mostSeconds = 65_535

/** Slurm's own syntax, `[R|B:]signal[@seconds]`; 60 seconds where it does not say. Undefined: it is something else. */
export function parseWarning(signal: string): WarningSignal | undefined {
  const match = /^(?:[RB]+:)?(?:SIG)?([A-Z][A-Z0-9]*|\d+)(?:@(\d+))?$/i.exec(signal)
  if (!match) return undefined
  const name = numbers.get(match[1]!) ?? match[1]!.toUpperCase()
  const seconds = Number(match[2] ?? 60)
  return seconds <= mostSeconds ? { name, seconds } : undefined
}
