/** Words for people: on stderr, and none of them with --quiet. Data goes to stdout, errors are always told. */
const mode = { quiet: false, verbose: false }

export function setTalk({ quiet = false, verbose = false }: { quiet?: boolean; verbose?: boolean }): void {
  Object.assign(mode, { quiet, verbose })
}

export const isQuiet = (): boolean => mode.quiet
export const isVerbose = (): boolean => mode.verbose

export function say(text: string): void {
  if (!mode.quiet) process.stderr.write(`${text}\n`)
}
