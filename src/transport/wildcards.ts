/** `*` any run, `?` any one character; iterative, so that no pattern takes exponential time. */
export function matchesPattern(pattern: string, name: string): boolean {
  let p = 0
  let n = 0
  let star = -1
  let resume = 0
  while (n < name.length) {
    if (pattern[p] === '*') {
      star = p++
      resume = n
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === name[n])) {
      p++
      n++
    } else if (star >= 0) {
      p = star + 1
      n = ++resume
    } else return false
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** Patterns of which one matches, and no negated one does. */
export function matchesAny(patterns: readonly string[], name: string): boolean {
  let found = false
  for (const pattern of patterns) {
    if (pattern.startsWith('!')) {
      // one negation that matches takes the whole list out
      if (matchesPattern(pattern.slice(1), name)) return false
    } else if (pattern && matchesPattern(pattern, name)) found = true
  }
  return found
}
