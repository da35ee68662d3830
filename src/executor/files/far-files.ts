import { randomBytes } from 'node:crypto'
import { TransportError } from '../../core/errors.ts'
import type { CommandResult } from '../../core/shell.ts'
import { fileFailureOf } from '../../files/failures.ts'
import { filterOf } from '../../files/filter.ts'
import { byPath, byText, Listing } from '../../files/listing.ts'
import { deniedLater, isMissing, piecesOf } from '../../files/local.ts'
import { isOdd, nameFromBytes } from '../../files/names.ts'
import { folderOf, joinPath, refuseRemoval, requirePath, trimSlashes } from '../../files/paths.ts'
import { depthOf, expandBraces, hasMagic, matcher, splitPattern } from '../../files/pattern.ts'
import type {
  FileContent,
  FileInfo,
  FileSystem,
  FindOptions,
  ReadRange,
  WriteOptions,
} from '../../files/types.ts'
import type { ExecOptions, Transport } from '../../transport/transport.ts'
import { createEntryReader, parseStatLine, statFormat } from './entries.ts'
import { outputOf } from './output.ts'
import * as scripts from './scripts.ts'
import { encodeWord } from './words.ts'

/** A folder of a million files takes a while; a file system that hangs for longer is an error. */
const longMs = 3_600_000
const pieceSize = 4 * 2 ** 20

const findTypes: Readonly<Record<FileInfo['type'], string>> = { file: 'f', folder: 'd', link: 'l', other: '' }

/** What is asked of the far end, one command each. */
export function farShell(transport: Transport) {
  const run = (
    script: string,
    args: readonly string[],
    options: ExecOptions & { stdin?: Uint8Array } = {},
  ) => {
    const { stdin, ...rest } = options
    const argv = ['sh', '-c', script, 'farcall', ...args]
    return transport.exec({ argv, ...(stdin ? { stdin } : {}) }, { timeoutMs: longMs, ...rest })
  }
  /** A command that must not fail. @throws FileError */
  const succeed = async (
    verb: string,
    path: string,
    script: string,
    args: readonly string[],
    options?: ExecOptions & { stdin?: Uint8Array },
  ): Promise<CommandResult> => {
    const result = await run(script, args, options)
    if (result.exitCode !== 0) throw fileFailureOf(verb, path, result.stderr)
    return result
  }
  return { run, succeed }
}

/** The path as the transport takes it: relative ones begin at home. */
export function transportPath(path: string): string {
  if (path === '~') return '.'
  return path.startsWith('~/') ? `./${path.slice(2)}` : path
}

/** What the transport says of a file, as ours. */
export async function ofTransport<T>(verb: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof TransportError && error.code === 'FILE_TRANSFER_FAILED')
      throw fileFailureOf(verb, path, error.message, error)
    throw error
  }
}

/** The files of the machine that a transport leads to. */
export function farFiles(transport: Transport): FileSystem {
  const { run, succeed } = farShell(transport)

  async function* entries(
    folder: string,
    options: FindOptions,
    verb: string,
  ): AsyncGenerator<FileInfo, void, void> {
    requirePath(folder, verb)
    const mark = randomBytes(16).toString('hex')
    const { name = [], depth, type } = options
    const names = [name].flat().flatMap(expandBraces)
    // ! and \ are read alike by find and by us, ^ is not
    const patterns = names.map((one) => encodeWord(one.replaceAll('[^', '[!')))
    const args = [
      encodeWord(folder),
      mark,
      depth === undefined ? '' : String(depth),
      type ? findTypes[type] : '',
      ...patterns,
    ]
    const reader = createEntryReader(mark, folder)
    const output = outputOf((onStdout, signal) => run(scripts.findScript, args, { onStdout, signal }))
    const fits = filterOf(options)
    for (;;) {
      const next = await output.next()
      const found = next.done ? reader.end() : reader.feed(next.value)
      for (const info of found)
        if (fits(info)) {
          let stopped = true
          try {
            yield info
            stopped = false
          } finally {
            if (stopped) await output.return(undefined as never)
          }
        }
      if (next.done) {
        requireFound(verb, folder, next.value, options.skipDenied ?? false)
        return
      }
    }
  }

  const statAt = async (path: string, link: boolean): Promise<FileInfo> => {
    requirePath(path, 'stat')
    const args = [encodeWord(link ? trimSlashes(path) : path), statFormat, link ? '' : '-L']
    const { stdout } = await succeed('stat', path, scripts.statScript, args)
    const text = Buffer.from(stdout).toString('latin1').trim()
    const info = parseStatLine(text, path)
    if (!info) throw fileFailureOf('stat', path, `unexpected answer ${JSON.stringify(text.slice(0, 100))}`)
    return info
  }

  const test = async (path: string, kind: 'e' | 'd' | 'f'): Promise<boolean> => {
    requirePath(path, 'stat')
    const { stdout } = await succeed('stat', path, scripts.testScript, [encodeWord(path), kind])
    return Buffer.from(stdout).toString('latin1').startsWith('yes')
  }

  async function* glob(given: string | readonly string[]): AsyncGenerator<string, void, void> {
    const patterns = [given].flat().flatMap(expandBraces)
    for (const pattern of patterns) requirePath(pattern, 'glob')
    const seen = new Set<string>()
    const fresh = (path: string) => !seen.has(path) && seen.add(path)
    const plain = patterns.filter((pattern) => !needsOwnMatch(pattern))
    if (plain.length > 0) for await (const path of globByShell(plain)) if (fresh(path)) yield path
    for (const pattern of patterns.filter(needsOwnMatch))
      for await (const path of globByFind(pattern)) if (fresh(path)) yield path
  }

  async function* globByShell(patterns: readonly string[]): AsyncGenerator<string, void, void> {
    const args = patterns.map((pattern) => encodeWord(pattern.replaceAll('[^', '[!')))
    const output = outputOf((onStdout, signal) => run(scripts.globScript, args, { onStdout, signal }))
    let rest = Buffer.alloc(0)
    for (;;) {
      const next = await output.next()
      if (next.done) {
        if (next.value.exitCode !== 0) throw fileFailureOf('glob', patterns.join(' '), next.value.stderr)
        return
      }
      let text = Buffer.concat([rest, next.value])
      for (let end = text.indexOf(0); end >= 0; end = text.indexOf(0)) {
        yield nameFromBytes(text.subarray(0, end))
        text = text.subarray(end + 1)
      }
      rest = Buffer.from(text)
    }
  }

  async function* globByFind(pattern: string): AsyncGenerator<string, void, void> {
    const { folder, rest } = splitPattern(pattern)
    const wanted = trimSlashes(rest)
    const fits = matcher(wanted)
    const depth = depthOf(wanted)
    const options: FindOptions = { skipDenied: true, ...(depth === undefined ? {} : { depth }) }
    const prefix = joinPath(folder, '').length
    try {
      for await (const { path, type } of entries(folder, options, 'glob'))
        if (fits(folder === '.' ? path : path.slice(prefix)) && (!rest.endsWith('/') || type === 'folder'))
          yield path
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }

  /** Pieces under another name beside it, then put in place. */
  const writePieces = async (path: string, content: FileContent, mode: number): Promise<void> => {
    const temporary = encodeWord(joinPath(folderOf(path), `.put-${randomBytes(8).toString('hex')}`))
    let size = 0
    let first = true
    const append = async (stdin: Uint8Array) => {
      await succeed('write', path, scripts.appendScript, [temporary, first ? 'new' : ''], { stdin })
      first = false
      size += stdin.length
    }
    try {
      let held: Uint8Array[] = []
      let bytes = 0
      for await (const piece of piecesOf(content)) {
        held.push(piece)
        bytes += piece.length
        if (bytes < pieceSize) continue
        await append(Buffer.concat(held))
        ;[held, bytes] = [[], 0]
      }
      if (first || bytes > 0) await append(Buffer.concat(held))
      const args = [temporary, encodeWord(trimSlashes(path)), mode.toString(8), String(size)]
      await succeed('write', path, scripts.placeScript, args)
    } catch (error) {
      // What is left behind is swept by nobody: it goes now, if that can be done.
      await run(scripts.removeScript, [temporary, '', 'yes']).catch(() => {})
      throw error
    }
  }

  return {
    ls: (folder = '.') => new Listing(() => entries(folder, { depth: 1 }, 'ls'), byPath),
    find: (folder, options = {}) => new Listing(() => entries(folder, options, 'find'), byPath),
    glob: (pattern) => new Listing(() => glob(pattern), byText),
    stat: (path, { link = false } = {}) => statAt(path, link),
    exists: (path) => test(path, 'e'),
    isdir: (path) => test(path, 'd'),
    isfile: (path) => test(path, 'f'),
    async du(path) {
      requirePath(path, 'du')
      const result = await run(scripts.usageScript, [encodeWord(trimSlashes(path))])
      const numbers = Buffer.from(result.stdout).toString('latin1').trim().split(' ').map(Number)
      requireFound('du', path, result, false)
      const [bytes = 0, allocated = 0, files = 0, folders = 0] = numbers
      // the folder itself is among them
      return { bytes, allocated, files, folders: Math.max(0, folders - 1) }
    },
    async countFiles(folder, options = {}) {
      requirePath(folder, 'count')
      const { name = [], depth } = options
      const patterns = [name]
        .flat()
        .flatMap(expandBraces)
        .map((one) => encodeWord(one.replaceAll('[^', '[!')))
      const args = [encodeWord(folder), '', depth === undefined ? '' : String(depth), 'f', ...patterns]
      const result = await run(scripts.countScript, args)
      requireFound('count', folder, result, options.skipDenied ?? false)
      return Number(Buffer.from(result.stdout).toString('latin1'))
    },
    read: (async (path: string, how?: 'utf8' | ReadRange) => {
      requirePath(path, 'read')
      const { from = 0, length } = typeof how === 'object' ? how : {}
      const bytes = await readBytes(path, from, length)
      return how === 'utf8' ? Buffer.from(bytes).toString('utf8') : bytes
    }) as FileSystem['read'],
    async *stream(path, { from = 0, length } = {}) {
      requirePath(path, 'read')
      const args = [encodeWord(path), String(from + 1), length === undefined ? '' : String(length)]
      const result = yield* outputOf((onStdout, signal) =>
        run(scripts.readScript, args, { onStdout, signal }),
      )
      if (result.exitCode !== 0) throw fileFailureOf('read', path, result.stderr)
    },
    async write(path, content, { mode = 0o644 }: WriteOptions = {}) {
      requirePath(path, 'write')
      const whole = typeof content === 'string' ? Buffer.from(content) : content
      if (!(whole instanceof Uint8Array) || isOdd(path)) return writePieces(path, whole, mode)
      const file = { path: transportPath(trimSlashes(path)), content: whole, mode }
      await ofTransport('write', path, () => transport.put([file]))
    },
    async mkdir(path) {
      requirePath(path, 'mkdir')
      await succeed('mkdir', path, scripts.makeFolderScript, [encodeWord(path)])
    },
    async remove(path, { recursive = false, force = false } = {}) {
      requirePath(path, 'remove')
      const yes = (on: boolean) => (on ? 'yes' : '')
      const args = [encodeWord(trimSlashes(path)), yes(recursive), yes(force)]
      const result = await run(scripts.removeScript, args)
      if (result.exitCode === 90) throw refuseRemoval(path, 'the root of all files')
      if (result.exitCode === 91) throw refuseRemoval(path, 'the home folder')
      if (result.exitCode === 92) throw refuseRemoval(path, 'above the home folder')
      if (result.exitCode !== 0) throw fileFailureOf('remove', path, result.stderr)
    },
    async rename(from, to) {
      requirePath(from, 'rename')
      requirePath(to, 'rename')
      const args = [from, to].map((path) => encodeWord(trimSlashes(path)))
      await succeed('rename', from, scripts.renameScript, args)
    },
  }

  async function readBytes(path: string, from: number, length: number | undefined): Promise<Uint8Array> {
    if (isOdd(path)) {
      const args = [encodeWord(path), String(from + 1), length === undefined ? '' : String(length)]
      return (await succeed('read', path, scripts.readScript, args)).stdout
    }
    const range =
      from === 0 && length === undefined ? undefined : { from, ...(length === undefined ? {} : { length }) }
    const bytes = await ofTransport('read', path, () => transport.get(transportPath(path), range))
    if (!bytes) throw fileFailureOf('read', path, 'No such file or directory')
    return bytes
  }
}

/** Patterns that sh and we read differently, or sh not at all. */
function needsOwnMatch(pattern: string): boolean {
  return pattern.split('/').includes('**') || pattern.includes('\\') || (!hasMagic(pattern) && isOdd(pattern))
}

/** What went away meanwhile is no fault; a folder that may not be read is told. @throws FileError */
function requireFound(
  verb: string,
  folder: string,
  { exitCode, stderr }: CommandResult,
  skipDenied: boolean,
): void {
  if (exitCode === 0) return
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  const whole = lines.find((line) => /^ls: /.test(line) || line === 'Permission denied')
  if (whole !== undefined) throw fileFailureOf(verb, folder, whole)
  const denied = deniedLater(skipDenied)
  for (const line of lines) {
    if (/No such file/.test(line)) continue
    const failure = fileFailureOf(verb, folder, line)
    if (failure.code !== 'FILE_DENIED') throw failure
    denied.note(failure)
  }
  denied.tell()
}
