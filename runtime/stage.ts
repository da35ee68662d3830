import { createHash } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { FileError } from '../src/core/errors.ts'
import { isFileArgument, mapStrings, remoteMark } from '../src/core/file-arguments.ts'
import {
  blobName,
  type ItemOutputs,
  type JobSpec,
  type OutputFile,
  outputsFile,
  type StagedInput,
  workFolder,
} from '../src/core/protocol.ts'
import { nameFromBytes, nameToBytes, nativeName } from '../src/files/names.ts'
import { hasMagic, matcher } from '../src/files/pattern.ts'
import { LaunchError, type Place } from './arguments.ts'
import { earlierRuns } from './earlier.ts'
import { expandPath } from './expand-path.ts'

/** The working directories of items: inputs are put into them, what is asked for is told of afterwards. */
export class Stage {
  readonly #place: Place
  readonly #spec: JobSpec
  readonly #inputs = new Map<string, StagedInput>()
  /** Inodes of inputs: they are no outputs. */
  #given = new Set<number>()
  #work = ''
  /** Others put files into the same folder. */
  #isShared = false
  #bytes = 0
  readonly #tell: (line: ItemOutputs) => void

  /** `tell`: for a process that runs items of the member; the member writes down what it says. */
  constructor(
    place: Place,
    spec: JobSpec,
    kept: ReadonlySet<number>,
    tell: (line: ItemOutputs) => void = (line) => this.add(line),
  ) {
    this.#place = place
    this.#spec = spec
    this.#tell = tell
    for (const input of spec.stage?.in ?? [])
      if (input.argument !== undefined) this.#inputs.set(input.argument, input)
    if (kept.size > 0 && spec.stage) this.#takeOver(kept)
  }

  /** Bytes of the list of outputs; undefined: there is none. */
  get bytes(): number | undefined {
    return this.#spec.stage && this.#spec.stage.out.length > 0 ? this.#bytes : undefined
  }

  /** Makes the item's folder and goes there. @throws LaunchError */
  begin(item: number): void {
    const { stage } = this.#spec
    if (!stage) return
    this.#work = `${this.#place.run}/${workFolder(item)}`
    this.#given = new Set()
    mkdirSync(this.#work, { mode: 0o700 })
    for (const input of stage.in) if (input.argument === undefined) this.#put(input)
    process.chdir(this.#work)
  }

  /** For one of several processes that run the item: the member has made its folder. */
  join(item: number): void {
    this.#work = `${this.#place.run}/${workFolder(item)}`
    this.#isShared = true
  }

  /** Files that this process has put there, as `except` takes them. */
  get given(): readonly number[] {
    return [...this.#given]
  }

  /** Files of the item that are no outputs. */
  except(given: readonly number[]): void {
    for (const inode of given) this.#given.add(inode)
  }

  /** Arguments that stand for files become their paths here. */
  paths(call: unknown): unknown {
    if (!this.#spec.stage) return call
    return mapStrings(call, (text) => {
      if (!isFileArgument(text)) return text
      if (text.startsWith(remoteMark)) return expandPath(text.slice(remoteMark.length))
      const input = this.#inputs.get(text)
      return input ? this.#put(input) : text
    })
  }

  #put(input: StagedInput): string {
    const blob = `${this.#place.workdir}/blobs/${blobName(input.blob)}`
    const path = `${this.#work}/${input.path}`
    const native = nativeName(path)
    // Of two arguments that are the same file.
    if (existsSync(native)) {
      if (this.#isShared && !this.#spec.stage?.copy) this.#given.add(statSync(native).ino)
      return path
    }
    const size = statSync(blob, { throwIfNoEntry: false })?.size
    if (size !== input.blob.size)
      throw new LaunchError(
        `the input ${input.path} is ${size === undefined ? 'not there' : `damaged: ${size} bytes of ${input.blob.size}`} (${blob}); call it again to send it anew`,
      )
    mkdirSync(nativeName(dirname(path)), { recursive: true, mode: 0o700 })
    if (this.#isShared) {
      // Whole at once, whoever is first.
      const own = nativeName(`${path}.${hostname()}.${process.pid}`)
      this.#bring(blob, own, input.executable)
      makeKnown(own, native)
    } else this.#bring(blob, native, input.executable)
    if (!this.#spec.stage?.copy) this.#given.add(statSync(native).ino)
    return path
  }

  #bring(blob: string, to: string | Buffer, executable = false): void {
    if (this.#spec.stage?.copy) {
      copyFileSync(blob, to)
      chmodSync(to, 0o700)
      return
    }
    if (executable) {
      copyFileSync(blob, to)
      chmodSync(to, 0o500)
      return
    }
    try {
      linkSync(blob, to)
    } catch {
      // Another file system, or one without links: it takes a moment longer.
      copyFileSync(blob, to)
    }
  }

  /** Writes down what the item has left. @throws FileError OUTPUT_MISSING, unless it failed */
  end(item: number, failed: boolean): void {
    const { stage } = this.#spec
    if (!stage || stage.out.length === 0) return
    const folder = `run.${this.#place.attempt}.${this.#place.member}/${workFolder(item)}`
    const files = collect(this.#work, stage.out, this.#given, failed ? undefined : this.#what)
    const line: ItemOutputs = { item, folder, files, ...(failed ? { failed } : {}) }
    this.#tell(line)
  }

  get #what(): string {
    return this.#spec.command ? 'command' : 'function'
  }

  add(line: ItemOutputs): void {
    const text = `${JSON.stringify(line)}\n`
    appendFileSync(`${this.#place.run}/${outputsFile}`, text, { mode: 0o600 })
    this.#bytes += Buffer.byteLength(text)
  }

  /** What an earlier attempt says of items that are not run again. */
  #takeOver(kept: ReadonlySet<number>): void {
    const taken = new Set<number>()
    for (const { folder } of earlierRuns(this.#place)) {
      const path = `${folder}/${outputsFile}`
      if (!existsSync(path)) continue
      for (const text of readFileSync(path, 'utf8').split('\n').filter(Boolean)) {
        const line = JSON.parse(text) as ItemOutputs
        if (!kept.has(line.item) || taken.has(line.item)) continue
        taken.add(line.item)
        this.add(line)
      }
    }
  }
}

/** Gives a file its name, unless another one has that. */
function makeKnown(file: string | Buffer, name: string | Buffer): void {
  try {
    linkSync(file, name)
  } catch (error) {
    // There are file systems without links.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') renameSync(file, name)
  }
  rmSync(file, { force: true })
}

/** `writer`: what was to write all of it. */
function collect(
  work: string,
  patterns: readonly string[],
  given: ReadonlySet<number>,
  writer: string | undefined,
): OutputFile[] {
  const rules = patterns.map((pattern) => {
    const plain = pattern.replace(/^(\.\/)+/, '').replace(/\/+$/, '')
    const fits = matcher(plain)
    // A folder that fits is meant with all that is in it.
    return { pattern: plain, fits, used: false }
  })
  const found: OutputFile[] = []
  const walk = (relative: string, inside: boolean) => {
    const folder = relative === '' ? work : `${work}/${relative}`
    for (const bytes of readdirSync(nameToBytes(folder), { encoding: 'buffer' })) {
      const name = nameFromBytes(bytes)
      const path = relative === '' ? name : `${relative}/${name}`
      const native = nativeName(`${work}/${path}`)
      const matching = rules.filter(({ fits }) => fits(path))
      const wanted = inside || matching.length > 0
      const stat = lstatSync(native)
      if (stat.isDirectory()) {
        for (const rule of matching) rule.used = true
        walk(path, wanted)
        continue
      }
      if (!wanted || given.has(stat.ino)) continue
      const target = stat.isSymbolicLink() ? inner(work, native) : stat
      if (!target?.isFile()) continue
      for (const rule of matching) rule.used = true
      const sha256 = hash(native)
      found.push({
        path,
        size: target.size,
        mode: target.mode & 0o777,
        mtime: Math.floor(target.mtimeMs / 1000),
        sha256,
      })
    }
  }
  walk('', false)
  const missing = rules.find(({ pattern, used }) => writer !== undefined && !used && !hasMagic(pattern))
  if (missing)
    throw new FileError(
      'OUTPUT_MISSING',
      `stage.out: the ${writer} has not written ${missing.pattern}`,
      missing.pattern,
      {
        hint: 'paths are relative to the working directory; one with * may be missing',
      },
    )
  return found
}

/** A link counts as what it leads to, as long as that lies in the working directory. */
function inner(work: string, path: string | Buffer) {
  try {
    return String(realpathSync(path)).startsWith(`${realpathSync(work)}/`) ? statSync(path) : undefined
  } catch {
    return undefined // it leads nowhere
  }
}

function hash(path: string | Buffer): string {
  const sum = createHash('sha256')
  const file = openSync(path, 'r')
  try {
    const piece = Buffer.allocUnsafe(1 << 20)
    for (
      let count = readSync(file, piece, 0, piece.length, null);
      count > 0;
      count = readSync(file, piece, 0, piece.length, null)
    )
      sum.update(piece.subarray(0, count))
  } finally {
    closeSync(file)
  }
  return sum.digest('hex')
}
