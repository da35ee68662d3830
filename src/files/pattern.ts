/** Patterns of paths: * ? [a-z] [!a-z] \x within a name, ** for folders at any depth, {a,b} for either. */

/** 'a{b,c}d' -> 'abd', 'acd'; braces without a comma are themselves. */
export function expandBraces(pattern: string): string[] {
  let depth = 0
  let start = -1
  const commas: number[] = []
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]
    if (character === '\\') at++
    else if (character === '{') {
      if (depth++ === 0) [start, commas.length] = [at, 0]
    } else if (character === ',' && depth === 1) commas.push(at)
    else if (character === '}' && depth > 0 && --depth === 0 && commas.length > 0) {
      const [head, tail] = [pattern.slice(0, start), pattern.slice(at + 1)]
      const bounds = [start, ...commas, at]
      const options = bounds.slice(1).map((end, i) => pattern.slice(bounds[i]! + 1, end))
      const rests = expandBraces(tail)
      return options.flatMap(expandBraces).flatMap((one) => rests.map((rest) => head + one + rest))
    }
  }
  return [pattern]
}

export function hasMagic(pattern: string): boolean {
  return /[*?[\\{]/.test(pattern)
}

/** Whether a whole name or path fits. Hidden names fit only a pattern that begins with a dot itself. */
export function matcher(pattern: string, options: { hidden?: boolean } = {}): (path: string) => boolean {
  const sources = expandBraces(pattern).map((one) => pathSource(one, options.hidden ?? false))
  const all = new RegExp(`^(?:${sources.join('|')})$`, 's')
  return (path) => all.test(path)
}

function pathSource(pattern: string, hidden: boolean): string {
  const parts = pattern.split('/')
  let source = ''
  for (const [index, part] of parts.entries()) {
    const last = index === parts.length - 1
    const visible = hidden ? '' : '(?!\\.)'
    if (part === '**') source += last ? `(?:${visible}[^/]+(?:/${visible}[^/]+)*)` : `(?:${visible}[^/]+/)*`
    else source += nameSource(part, hidden) + (last ? '' : '/')
  }
  return source
}

function nameSource(part: string, hidden: boolean): string {
  let source = !hidden && /^[*?[]/.test(part) ? '(?!\\.)' : ''
  for (let at = 0; at < part.length; at++) {
    const character = part[at]!
    if (character === '*') source += '[^/]*'
    else if (character === '?') source += '[^/]'
    else if (character === '\\' && at + 1 < part.length) source += literal(part[++at]!)
    else if (character === '[') {
      const set = setAt(part, at)
      if (!set) source += '\\['
      else {
        source += set.source
        at = set.end
      }
    } else source += literal(character)
  }
  return source
}

function setAt(part: string, start: number): { source: string; end: number } | undefined {
  const negated = part[start + 1] === '!' || part[start + 1] === '^'
  const from = start + (negated ? 2 : 1)
  // a ] that comes first stands for itself
  const end = part.indexOf(']', from + 1)
  if (end < 0) return undefined
  const set = part.slice(from, end).replace(/[\\\]^[]/g, '\\$&')
  try {
    new RegExp(`[${set}]`)
  } catch {
    return undefined // a range that runs backwards
  }
  return { source: `${negated ? '(?!/)' : ''}[${negated ? '^' : ''}${set}]`, end }
}

const literal = (character: string) => character.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

// The folder that a pattern starts in, and the pattern from there: 'data/x*/y' -> 'data', 'x*/y'.
export function splitPattern(pattern: string): { folder: string; rest: string } {
  const parts = pattern.split('/')
  const first = parts.findIndex(hasMagic)
  const at = first < 0 ? parts.length - 1 : first
  const folder = parts.slice(0, at).join('/')
  return {
    folder: folder === '' ? (pattern.startsWith('/') && at > 0 ? '/' : '.') : folder,
    rest: parts.slice(at).join('/'),
  }
}

/** How many folders down a pattern can lead; undefined: any number. */
export function depthOf(pattern: string): number | undefined {
  const parts = pattern.split('/')
  return parts.includes('**') ? undefined : parts.length
}
