/** One row of the bench: what was measured, what it is held against, and what the project promises. */
export interface Row {
  readonly suite: string
  readonly what: string
  readonly value: number
  readonly unit: string
  /** The floor measured in the same run, in the same unit. */
  readonly floor?: number
  readonly floorName?: string
  /** The promise, in words. */
  readonly promise?: string
  readonly kept?: boolean
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Median milliseconds of `times` runs, after `warmUp` runs that do not count. */
export async function medianMs(times: number, run: () => unknown, warmUp = 3): Promise<number> {
  const spent: number[] = []
  for (let i = 0; i < warmUp + times; i++) {
    const start = performance.now()
    await run()
    if (i >= warmUp) spent.push(performance.now() - start)
  }
  return median(spent)
}

/** Medians of two things that take turns, so that a busy moment of the machine falls on both. */
export async function paired(
  times: number,
  ours: () => unknown,
  floor: () => unknown,
  warmUp = 3,
): Promise<[number, number]> {
  const spent: [number[], number[]] = [[], []]
  for (let i = -warmUp; i < times; i++) {
    for (const [k, run] of [ours, floor].entries()) {
      const start = performance.now()
      await run()
      if (i >= 0) spent[k]!.push(performance.now() - start)
    }
  }
  return [median(spent[0]), median(spent[1])]
}
