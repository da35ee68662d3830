import { FarcallError } from '../core/errors.ts'

/** Of a map, so many of the failures are told. */
const mostTold = 10

/** Tells an error in words: `error CODE: message`, the hint, the page that explains it. The stack only on request. */
export function report(error: unknown, { verbose = false, env = process.env, flags = noFlags } = {}): void {
  const text = reportText(error, verbose || Boolean(env['FARCALL_DEBUG']))
  process.stderr.write(`${withFlag(text, flags)}\n`)
}

/** Options of a command, as the library and as the command line have them: minGpus, --min-gpus. */
export type Flags = ReadonlyMap<string, string>
const noFlags: Flags = new Map()

/** What the library calls an option is a flag here. */
export function withFlag(text: string, flags: Flags): string {
  return text.replace(
    /^(error OPTION_INVALID: )(\w+)(?=:)/,
    (_, before: string, name: string) => before + (flags.get(name) ?? name),
  )
}

export function reportText(error: unknown, verbose: boolean): string {
  if (error instanceof AggregateError && !verbose) return severalText(error)
  // What a function threw, or a defect of ours: the stack is what one needs to be told.
  if (!(error instanceof FarcallError))
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  const text = `error ${error.code}: ${error.message}\n  see: ${error.docs}`
  return verbose ? `${text}\n${error.stack ?? ''}` : text
}

function severalText({ message, errors }: AggregateError): string {
  const lines = errors.slice(0, mostTold).map((one: unknown) => {
    const { index } = Object(one) as { index?: number }
    const name = one instanceof Error && !(one instanceof FarcallError) ? `${one.name}: ` : ''
    const [first] = (one instanceof Error ? one.message : String(one)).split('\n')
    return `  ${index === undefined ? '' : `[${index}] `}${name}${first}`
  })
  const more = errors.length - mostTold
  return [message, ...lines, ...(more > 0 ? [`  … and ${more} more`] : [])].join('\n')
}
