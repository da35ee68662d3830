/** What the turns of a loop gave to one variable, in their order: sites, values, and how often in a row. */
export interface FoldLog {
  readonly sites: number[]
  readonly values: unknown[]
  readonly counts: number[]
}

export const newLog = (): FoldLog => ({ sites: [], values: [], counts: [] })

export function note({ sites, values, counts }: FoldLog, site: number, value: unknown): void {
  const last = values.length - 1
  if (last >= 0 && sites[last] === site && typeof value !== 'object' && Object.is(values[last], value))
    counts[last]!++
  else {
    sites.push(site)
    values.push(value)
    counts.push(1)
  }
}

// biome-ignore lint/suspicious/noExplicitAny: as the user's own operator has it
type Any = any

const operators: Record<string, (a: Any, b: Any) => unknown> = {
  '+=': (a, b) => a + b,
  '-=': (a, b) => a - b,
  '*=': (a, b) => a * b,
  '&=': (a, b) => a & b,
  '|=': (a, b) => a | b,
  '^=': (a, b) => a ^ b,
  '++': (a) => {
    let value = a
    value++
    return value
  },
  '--': (a) => {
    let value = a
    value--
    return value
  },
  max: (a, b) => Math.max(a, b),
  min: (a, b) => Math.min(a, b),
}

export const isFoldOperator = (op: string): boolean => Object.hasOwn(operators, op)

/** As if the turns had run one after the other: float sums come out the same to the last bit. */
export function replay(value: unknown, { sites, values, counts }: FoldLog, ops: readonly string[]): unknown {
  let now = value
  for (let i = 0; i < values.length; i++) {
    const operator = operators[ops[sites[i]!]!]!
    for (let n = 0; n < counts[i]!; n++) now = operator(now, values[i])
  }
  return now
}
