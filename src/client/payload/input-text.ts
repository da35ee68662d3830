import { inspect } from 'node:util'

/** So many characters of an input are in the error of an item that failed. */
const most = 100

/** An input in short, for errors: calls nothing of the user's, and names of large values only the beginning. */
export function inputText(args: readonly unknown[]): string {
  if (args.length === 1) return shorten(textOf(args[0]))
  return shorten(args.slice(0, 10).map(textOf).join(', '))
}

function textOf(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return JSON.stringify(value.length > most ? value.slice(0, most) : value)
  return inspect(value, {
    depth: 1,
    customInspect: false,
    getters: false,
    maxArrayLength: 5,
    maxStringLength: 40,
    breakLength: Number.POSITIVE_INFINITY,
    compact: true,
  })
}

/** With three points, for one character beyond Latin-1 doubles the memory of all: each item of a map holds its text. */
function shorten(text: string): string {
  return text.length <= most ? text : `${text.slice(0, most - 3)}...`
}
