import { ConfigError } from './errors.ts'

/** What is run: an argument vector, or a POSIX sh script; with what it reads on stdin. */
export interface Command {
  readonly argv: readonly string[]
  readonly stdin?: Uint8Array | string
}

export interface CommandResult {
  readonly exitCode: number
  readonly stdout: Uint8Array
  readonly stderr: string
}

/**
 * One word of POSIX sh that is exactly this string.
 * @throws ConfigError VALUE_UNSAFE for a NUL, which no argument can hold
 * @example shellQuote("it's") // 'it'\''s'
 */
export function shellQuote(word: string): string {
  if (word.includes('\0'))
    throw new ConfigError('VALUE_UNSAFE', `${JSON.stringify(word)} holds a NUL character`)
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word
  return `'${word.replaceAll("'", `'\\''`)}'`
}

/**
 * A path on the cluster as one word of sh: ~ and $VARIABLES are the cluster's, all else is itself.
 * @example shellPath('$SCRATCH/my data') // "${SCRATCH:?is not set on the cluster}"'/my data'
 */
export function shellPath(path: string): string {
  const tilde = /^~(?=\/|$)/.exec(path)
  const rest = tilde ? path.slice(1) : path
  const parts = rest.split(/(\$\{[A-Za-z_]\w*\}|\$[A-Za-z_]\w*)/)
  const words = parts.map((part, index) => {
    if (index % 2 === 0) return part === '' ? '' : shellQuote(part)
    const name = part.replace(/[${}]/g, '')
    return `"\${${name}:?is not set on the cluster}"`
  })
  return (tilde ? '"$HOME"' : '') + words.join('')
}

export function shellJoin(argv: readonly string[]): string {
  return argv.map(shellQuote).join(' ')
}

/** Refuses control characters (newline, tab, escape …) in a value that enters a directive or a file name. */
export function requirePlainText(value: string, where: string): string {
  if (/[\u0000-\u001f\u007f\u0080-\u009f\u2028\u2029]/.test(value))
    throw new ConfigError('VALUE_UNSAFE', `${where}: ${JSON.stringify(value)} holds a control character`, {
      hint: 'remove line breaks, tabs and other control characters',
    })
  return value
}
