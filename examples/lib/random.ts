/** Numbers in [0, 1) that depend on the seed alone (mulberry32), so that a run can be repeated anywhere. */
export function seededRandom(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** As many draws with replacement as there are values. */
export function resample(values: readonly number[], random: () => number): number[] {
  return values.map(() => values[Math.floor(random() * values.length)]!)
}

/** Where the middle 95 % of the values lie. */
export function interval(values: readonly number[]): [low: number, high: number] {
  const sorted = [...values].sort((one, other) => one - other)
  return [quantile(sorted, 0.025), quantile(sorted, 0.975)]
}

/** Linear between the two nearest values. */
function quantile(sorted: readonly number[], share: number): number {
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)]!
  return below + (sorted[Math.ceil(position)]! - below) * (position % 1)
}
