import { shellJoin, shellQuote } from '../core/shell.ts'

/**
 * What runs at the far end of a shell channel: a loop that reads framed commands and marks where their output ends.
 *
 * In:  `<seq> <script bytes> <stdin bytes>\n`, then the script, then the stdin. A script of 0 bytes is the next line.
 * Out: what the command writes, then on stdout and on stderr alike `\n<token> <seq> <exit code>\n`.
 *
 * The token comes over stdin and is no argument and no variable of a command, so that `ps` and `env` cannot show it.
 * `h` reads exactly so many bytes of a pipe; some heads read ahead, and then dd goes byte by byte.
 */
const loop = [
  'unset FARCALL_LOOP',
  'exec <&3 3<&-',
  'cd "$HOME"',
  'IFS= read -r t',
  `p=$(printf 'abcdef\\n' | { head -c 3; read -r r; printf %s "$r"; } 2>/dev/null)`,
  'if [ "$p" = abcdef ]; then h() { head -c "$1"; }; else h() { dd bs=1 count="$1" 2>/dev/null; }; fi',
  `e() { printf '\\n%s %s %s\\n' "$t" "$1" "$2"; printf '\\n%s %s %s\\n' "$t" "$1" "$2" >&2; }`,
  'e 0 "$$"',
  `while IFS=' ' read -r q n m`,
  'do if [ "$n" = 0 ]; then IFS= read -r s; else s=$(h "$n"; printf x); s=${s%x}; fi',
  'if [ "$m" = 0 ]; then (eval "$s") </dev/null; else h "$m" | { (eval "$s"); r=$?; cat >/dev/null; exit "$r"; }; fi',
  'e "$q" "$?"',
  'done',
].join('; ')

/**
 * The command that opens a channel, in words that sh, csh and fish read alike: it takes the rest as a line from stdin.
 */
export const openingCommand = `exec /bin/sh -c 'IFS= read -r s; eval "$s"'`

/**
 * That line, and the token. The loop starts once through the user's login shell, because sites put sbatch and qsub
 * on PATH in /etc/profile or in modules. rc files read /dev/null, not our frames; what they print comes before the
 * first mark and is dropped. A login shell without -l and -c together (csh) leaves its place to sh.
 */
export function openingInput(token: string): string {
  return `${startLine(loop)}\n${token}\n`
}

/** The same line for one program that has the channel to itself: its output begins behind the token. */
export function pipeInput(token: string, argv: readonly string[]): string {
  // any bytes but NUL on one line, and through any login shell
  const words = argv.map((word) => {
    const escaped = word.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
    return `v=$(printf '%b.' ${shellQuote(escaped)}); set -- "$@" "\${v%.}"`
  })
  const begin = ['exec <&3 3<&-', 'cd "$HOME"', 'set --', ...words, 'unset FARCALL_LOOP v']
  return `${startLine([...begin, `printf '\\n%s\\n' ${token}`, 'exec "$@"'].join('; '))}\n`
}

function startLine(script: string): string {
  const start = `exec /bin/sh -c 'eval "$FARCALL_LOOP"'`
  return [
    `FARCALL_LOOP=${shellQuote(script)}`,
    'export FARCALL_LOOP',
    'exec 3<&0 </dev/null',
    throughLoginShell(start),
  ].join('; ')
}

function throughLoginShell(start: string): string {
  return [
    `case "\${SHELL##*/}" in bash|zsh|ksh|ksh93|mksh|dash|ash|fish) exec "$SHELL" -l -c ${shellQuote(start)} ;; esac`,
    `exec /bin/sh -l -c ${shellQuote(start)}`,
  ].join('; ')
}

/** A command for a terminal, started as the loop is: through the login shell, with its PATH. */
export function terminalCommand(argv: readonly string[]): string {
  const start = `exec /bin/sh -c ${shellQuote('exec "$@"')} sh ${shellJoin(argv)}`
  return `exec /bin/sh -c ${shellQuote(throughLoginShell(start))}`
}

/** The frame of one command. With a size, as much stdin follows it. */
export function frame(seq: number, script: string, stdin: Uint8Array, size = stdin.length): Buffer {
  // a short line is cheaper read by the shell itself than through a subshell and head
  const short = script.length < 2000 && !script.includes('\n')
  const text = Buffer.from(short ? `${script}\n` : script)
  return Buffer.concat([Buffer.from(`${seq} ${short ? 0 : text.length} ${size}\n`), text, stdin])
}

/** Finds the mark at the end of a command's output, in whatever pieces the bytes come. `sink` gets the output instead. */
export function createMarkScanner(token: string, seq: number, sink?: (bytes: Buffer) => void) {
  const prefix = Buffer.from(`\n${token} ${seq} `)
  const output: Buffer[] = []
  let carry: Buffer = Buffer.alloc(0)
  return {
    /** Gives the output and the number in the mark once it is there. */
    feed(chunk: Uint8Array): { output: Buffer; value: number } | undefined {
      const window = carry.length > 0 ? Buffer.concat([carry, chunk]) : Buffer.from(chunk)
      const start = window.indexOf(prefix)
      // what may be the beginning of a mark stays here
      const safe = start >= 0 ? start : Math.max(0, window.length - prefix.length + 1)
      const bytes = window.subarray(0, safe)
      if (!sink) output.push(bytes)
      else if (bytes.length > 0) sink(bytes)
      carry = window.subarray(safe)
      if (start < 0) return undefined
      const end = carry.indexOf(10, prefix.length)
      if (end < 0) return undefined
      return {
        output: Buffer.concat(output),
        value: Number(carry.toString('latin1', prefix.length, end)),
      }
    },
    /** All bytes so far, for a message when the channel ends early. */
    soFar: () => Buffer.concat([...output, carry]),
  }
}
