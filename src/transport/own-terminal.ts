import type { Readable, Writable } from 'node:stream'

export interface TerminalSize {
  readonly rows: number
  readonly columns: number
}

/** Undefined: stdin or stdout is no terminal. */
export function ownTerminalSize(): TerminalSize | undefined {
  const { stdin, stdout } = process
  return stdin.isTTY && stdout.isTTY ? { rows: stdout.rows, columns: stdout.columns } : undefined
}

interface Far {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
}

/**
 * Joins a command with stdin, stdout and stderr of this process until `over`; keys go there as they are pressed,
 * Ctrl-C as well, when the command has a terminal.
 */
export async function joinOwnTerminal<T>(
  far: Far,
  { onResize, over }: { onResize: ((size: TerminalSize) => void) | undefined; over: Promise<T> },
): Promise<T> {
  const { stdin, stdout, stderr } = process
  const wasRaw = stdin.isRaw
  const resized = () => {
    const size = ownTerminalSize()
    if (size) onResize?.(size)
  }
  if (onResize) {
    stdin.setRawMode(true)
    stdout.on('resize', resized)
  }
  stdin.pipe(far.stdin)
  far.stdout.pipe(stdout, { end: false })
  far.stderr.pipe(stderr, { end: false })
  try {
    return await over
  } finally {
    stdin.unpipe(far.stdin)
    stdin.pause()
    if (onResize) {
      stdin.setRawMode(wasRaw)
      stdout.off('resize', resized)
    }
  }
}
