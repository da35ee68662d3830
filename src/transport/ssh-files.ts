import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path/posix'
import { shellJoin, shellQuote } from '../core/shell.ts'
import type { FileStat } from './transport.ts'

/** A file of known size and the temporary name that it gets first. */
export interface StagedFile {
  readonly path: string
  readonly temporary: string
  readonly size: number
  readonly mode: number
}

const endMark = 'end.'

/** A relative path that begins with a dash is not an option. */
export function safePath(path: string): string {
  return path.startsWith('/') ? path : `./${path}`
}

export function stage(path: string, size: number, mode = 0o600): StagedFile {
  const safe = safePath(path)
  return { path: safe, temporary: `${dirname(safe)}/.put-${randomBytes(8).toString('hex')}`, size, mode }
}

export function makeFoldersScript(files: readonly StagedFile[]): string {
  return `umask 077; mkdir -p -- ${shellJoin([...new Set(files.map((file) => dirname(file.path)))])}`
}

/**
 * Takes the contents one after another from stdin, then the end mark: a stream that was cut off puts nothing in place.
 * `h` is the far loop's exact reader.
 */
export function putScript(files: readonly StagedFile[]): string {
  const steps = [
    makeFoldersScript(files),
    ...files.map(({ temporary, size }) =>
      size > 0 ? `h ${size} >${shellQuote(temporary)}` : `: >${shellQuote(temporary)}`,
    ),
    `[ "$(h ${endMark.length})" = ${endMark} ]`,
    ...files.map(placeScript),
  ]
  return undoing(files, steps)
}

/** The bytes that follow the contents. */
export const putEnd = Buffer.from(endMark)

/** Once the bytes are there under the temporary name: all of them? Then synced and put in place. */
export function finishScript(file: StagedFile): string {
  return undoing(
    [file],
    [`[ "$(wc -c <${shellQuote(file.temporary)})" -eq ${file.size} ]`, placeScript(file)],
  )
}

export function discardScript(file: StagedFile): string {
  return `rm -f -- ${shellQuote(file.temporary)}`
}

function placeScript({ path, temporary, mode }: StagedFile): string {
  const [to, from] = [shellQuote(path), shellQuote(temporary)]
  return [
    `dd if=/dev/null of=${from} conv=notrunc,fsync 2>/dev/null`,
    `chmod ${mode.toString(8)} -- ${from}`,
    // mv would move it into a folder of this name
    `{ [ ! -d ${to} ] || { echo ${shellQuote(`${path} is a directory`)} >&2; false; }; }`,
    `mv -f -- ${from} ${to}`,
  ].join(' && ')
}

function undoing(files: readonly StagedFile[], steps: readonly string[]): string {
  const temporaries = shellJoin(files.map((file) => file.temporary))
  return `LC_ALL=C; export LC_ALL; { ${steps.join(' && ')}; } || { rm -f -- ${temporaries}; exit 1; }`
}

/** Prints the file's size and, unless more than `most` bytes are wanted of it, those bytes. */
export function getScript(path: string, from: number, length: number | undefined, most: number): string {
  const file = shellQuote(safePath(path))
  const want = length === undefined ? `$((s-${from}))` : `$((s-${from}<${length}?s-${from}:${length}))`
  return [
    'LC_ALL=C; export LC_ALL',
    `s=$(wc -c <${file}) || exit 1`,
    's=$((s))',
    'echo "$s"',
    `w=${want}`,
    `if [ "$w" -gt 0 ] && [ "$w" -le ${most} ]; then ${readCommand(file, from, '"$w"')}; fi`,
  ].join('; ')
}

/** Prints so many bytes of a file, however many. */
export function readScript(path: string, from: number, length: number): string {
  return `LC_ALL=C; export LC_ALL; ${readCommand(shellQuote(safePath(path)), from, String(length))}`
}

function readCommand(file: string, from: number, length: string): string {
  return from === 0 ? `head -c ${length} <${file}` : `tail -c +${from + 1} <${file} | head -c ${length}`
}

/**
 * `ls -f` opens the folder and looks at no file, where find looks at each. GNU's -b escapes what would break a line;
 * where it is not known, a name with a newline comes as two.
 */
export function listScript(directory: string): string {
  const folder = shellQuote(`${safePath(directory)}/.`)
  const plain = `echo plain; exec ls -f ${folder}`
  return `LC_ALL=C; export LC_ALL; if ls -db / >/dev/null 2>&1; then echo escaped; exec ls -fb ${folder}; else ${plain}; fi`
}

export function parseList(output: Uint8Array): string[] {
  const [style, ...lines] = Buffer.from(output).toString('latin1').split('\n')
  return lines
    .map((line) => Buffer.from(style === 'escaped' ? unescapeName(line) : line, 'latin1').toString('utf8'))
    .filter((name) => name !== '' && name !== '.' && name !== '..')
}

const letters: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

/** One character per byte, as in C: \n, \\, \ooo, and an escaped space. */
function unescapeName(line: string): string {
  return line.replace(/\\([0-7]{3}|.)/g, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code, 8)) : (letters[code] ?? code),
  )
}

export function statScript(path: string): string {
  return `LC_ALL=C; export LC_ALL; exec stat -L -c '%s %u %f %Y' -- ${shellQuote(safePath(path))}`
}

/** Paths come on stdin, each ended by NUL: an argument list has a limit. */
export const removeScript = 'LC_ALL=C; export LC_ALL; exec xargs -0 rm -rf --'

export function parseStat(text: string): FileStat | undefined {
  const [, size, uid, rawMode, mtime] = /^(\d+) (\d+) ([0-9a-f]+) (-?\d+)$/.exec(text.trim()) ?? []
  if (!rawMode) return undefined
  const mode = Number.parseInt(rawMode, 16)
  const kind = mode & 0o170000
  return {
    size: Number(size),
    uid: Number(uid),
    mode: mode & 0o7777,
    mtime: Number(mtime),
    type: kind === 0o100000 ? 'file' : kind === 0o040000 ? 'directory' : 'other',
  }
}

/** Whether a command under LC_ALL=C says that a path is not there. dash says "No such file" alone. */
export function saysMissing(stderr: string): boolean {
  return /No such file|Not a directory|cannot open .*: No such/.test(stderr)
}
