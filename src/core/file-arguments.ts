/** Paths in arguments that stand for files: both ends know them by how they look. */

/** A path with this before its last part is of a file that goes along; for the system here it is the same file. */
export const localMark = '/.//.//'
/** What comes after it is a path there, in which ~ and $VARIABLES are the node's. */
export const remoteMark = 'farcall-remote:'

export function isLocalFile(text: string): boolean {
  const at = text.lastIndexOf(localMark)
  return text.startsWith('/') && at >= 0 && !text.slice(at + localMark.length).includes('/')
}

export function isFileArgument(text: string): boolean {
  return isLocalFile(text) || text.startsWith(remoteMark)
}

/** The strings of a value that stand for files. Looks into arrays, plain objects, maps and sets. */
export function fileArguments(value: unknown): Set<string> {
  const found = new Set<string>()
  mapStrings(value, (text) => {
    if (isFileArgument(text)) found.add(text)
    return text
  })
  return found
}

/** Replaces strings where they stand. */
export function mapStrings(value: unknown, change: (text: string) => string): unknown {
  const seen = new Set<unknown>()
  const look = (one: unknown): unknown => {
    if (typeof one === 'string') return change(one)
    if (typeof one !== 'object' || one === null || seen.has(one)) return one
    seen.add(one)
    if (Array.isArray(one)) {
      for (const [index, each] of one.entries()) set(one, index, each)
    } else if (one instanceof Map) {
      for (const [key, each] of one) {
        const next = look(each)
        if (next !== each) one.set(key, next)
      }
    } else if (one instanceof Set) {
      const all = [...one]
      const next = all.map(look)
      if (next.some((each, at) => each !== all[at])) {
        one.clear()
        for (const each of next) one.add(each)
      }
    } else if (isPlain(one)) for (const [key, each] of Object.entries(one)) set(one, key, each)
    return one
  }
  const set = (holder: object, key: PropertyKey, each: unknown) => {
    const next = look(each)
    if (next !== each) Reflect.set(holder, key, next)
  }
  return look(value)
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}
