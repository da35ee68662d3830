/** Whether the command line asks for completions. */
export const asksToComplete = (argv: readonly string[]): boolean =>
  argv[2] === 'complete' && argv.length > 3 && !['--help', '-h'].includes(argv[3]!)
