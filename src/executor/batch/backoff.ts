const firstMs = 500
const longestMs = 30_000

/** How long to wait after so many failures in a row: doubled each time, and not the same for all who failed together. */
export function backoffMs(failures: number, random: () => number): number {
  const ceiling = Math.min(longestMs, firstMs * 2 ** failures)
  return ceiling / 2 + (random() * ceiling) / 2
}
