import { Refused } from './model.ts'

/** Options as getopt reads them: `-N name`, `-Nname`, `--name=x`, `--name x`; the rest are operands. */
export function readOptions(
  args: readonly string[],
  takesValue: ReadonlySet<string>,
  isKnown: (name: string) => boolean = () => true,
): { options: [name: string, value: string][]; operands: string[] } {
  const options: [string, string][] = []
  const operands: string[] = []
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!
    if (arg === '--') {
      operands.push(...args.slice(at + 1))
      break
    }
    const long = /^(--[\w-]+)(?:=(.*))?$/s.exec(arg)
    const [name, value] = long ? [long[1]!, long[2]] : [arg.slice(0, 2), arg.slice(2) || undefined]
    if (!arg.startsWith('-') || arg === '-') {
      operands.push(arg)
      continue
    }
    if (!isKnown(name)) throw new Refused(`unrecognized option '${arg}'`)
    if (!takesValue.has(name)) {
      // Letters without a value may stand together.
      if (long) options.push([name, ''])
      else for (const letter of arg.slice(1)) options.push([`-${letter}`, ''])
      continue
    }
    if (value !== undefined) options.push([name, value])
    else {
      const next = args[++at]
      if (next === undefined) throw new Refused(`option requires an argument -- '${name.replace(/^-+/, '')}'`)
      options.push([name, next])
    }
  }
  return { options, operands }
}

/** The words of a directive line, as a shell without expansions would read them. */
export function splitWords(line: string): string[] {
  const words: string[] = []
  for (const match of line.matchAll(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/g)) {
    words.push(
      match[0].replace(
        /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/g,
        (_, plain, double, single) => plain ?? single ?? (double as string).replace(/\\(.)/g, '$1'),
      ),
    )
  }
  return words
}

/** Lines of a script that begin with a prefix, before the first command. */
export function directivesOf(script: string, prefix: string): string[][] {
  const found: string[][] = []
  for (const line of script.split('\n')) {
    if (line.startsWith(`${prefix} `)) found.push(splitWords(line.slice(prefix.length + 1)))
    else if (line.trim() !== '' && !line.startsWith('#')) break
  }
  return found
}

/** Seconds of 1-02:03:04, 02:03:04, 03:04, and of a plain number in the unit given. */
export function readClock(text: string, unit: number): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * unit
  const match = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)$/.exec(text)
  if (!match) return undefined
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0))
  return days! * 86_400 + hours! * 3600 + minutes! * 60 + seconds!
}

export function writeClock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const two = (value: number) => String(value).padStart(2, '0')
  return `${two(Math.floor(whole / 3600))}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`
}

/** Bytes of 16gb, 512M, 2g; a plain number in the unit given. */
export function readBytes(text: string, unit: number): number | undefined {
  const match = /^(\d+)([kmgt]?)b?$/i.exec(text)
  if (!match) return undefined
  const factor = match[2] ? 1024 ** ('kmgt'.indexOf(match[2].toLowerCase()) + 1) : /b$/i.test(text) ? 1 : unit
  return Number(match[1]) * factor
}

/** The numbers of 0-9, 0-9:2, 1,3,5-7. */
export function readIndexes(text: string): number[] | undefined {
  const numbers: number[] = []
  for (const part of text.split(',')) {
    const match = /^(\d+)(?:-(\d+)(?::(\d+))?)?$/.exec(part)
    if (!match) return undefined
    const [from, to, step] = [Number(match[1]), Number(match[2] ?? match[1]), Number(match[3] ?? 1)]
    if (step < 1 || to < from) return undefined
    for (let index = from; index <= to; index += step) numbers.push(index)
  }
  return numbers
}
