/** Large files that both sides have in some version, by the rsync of both: only what differs is sent. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, rmdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileError } from '../../core/errors.ts'
import { fileFailureOf } from '../../files/failures.ts'
import { isOdd, nameToBytes, nativeName } from '../../files/names.ts'
import { joinPath } from '../../files/paths.ts'
import { spawnPiped } from '../../transport/spawn-piped.ts'
import type { Transport } from '../../transport/transport.ts'
import type { Carrying } from './end.ts'
import { localPath, makeFolderLocally } from './near-end.ts'
import { relayCommand, relayTo } from './rsync-relay.ts'
import type { TreeEntry } from './tree.ts'
import { decodeWord, encodeWord } from './words.ts'

/** In the target folder: files that are not whole yet, and what a cut has left of them. Our own lists leave it out. */
const workFolder = '.farcall-in.rsync'

/** $1 folder, $2 'receive' or ''; then rsync as its other side calls it. */
const farScript = `LC_ALL=C
export LC_ALL
${decodeWord}
path "$1"
inside
receives=$2
shift 2
[ -z "$receives" ] || mkdir -p ${workFolder} || exit 1
"$@"
rc=$?
[ -z "$receives" ] || rmdir ${workFolder} 2>/dev/null
exit "$rc"`

const askScript = 'LC_ALL=C rsync --version'

/** Whether an rsync has what is used here; openrsync of macOS has not. */
export function isUsable(version: string): boolean {
  const [, major, minor] = /^rsync +version v?(\d+)\.(\d+)/.exec(version) ?? []
  return Number(major) > 3 || (Number(major) === 3 && Number(minor) >= 1)
}

let ours: Promise<boolean> | undefined

function hereIsRsync(): Promise<boolean> {
  ours ??= new Promise((resolve) => {
    execFile('rsync', ['--version'], { env: { ...process.env, LC_ALL: 'C' } }, (error, stdout) =>
      resolve(!error && isUsable(stdout)),
    )
  })
  return ours
}

/** Asks both sides; the far one only where there is one here. */
export async function bothHaveRsync(transport: Transport): Promise<boolean> {
  if (!(await hereIsRsync())) return false
  const { exitCode, stdout } = await transport.exec({ argv: ['sh', '-c', askScript] })
  return exitCode === 0 && isUsable(Buffer.from(stdout).toString('latin1'))
}

export interface RsyncJob {
  readonly direction: 'up' | 'down'
  readonly local: string
  readonly remote: string
  readonly entries: readonly TreeEntry[]
  /** Bytes of contents that are in place, those that were there before as well. */
  readonly arrived: (bytes: number) => void
}

/** Files are told of once all are there. @throws FileError, TransportError */
export async function carryByRsync(
  transport: Transport,
  { direction, local: localFolder, remote, entries, arrived }: RsyncJob,
  { onFile, signal }: Carrying,
): Promise<void> {
  const [local, up] = [localPath(localFolder), direction === 'up']
  const target = up ? remote : local
  const folder = await mkdtemp(join(tmpdir(), 'farcall-rsync-'))
  const far = ['sh', '-c', farScript, 'farcall', encodeWord(remote), up ? 'receive' : '']
  const relay = relayTo(join(folder, 's'), (argv, use) => transport.pipe([...far, ...argv], use))
  try {
    await relay.listening
    if (!up) await makeFolderLocally(joinPath(local, workFolder), 0o700)
    const ends = up ? ['./', 'farcall:./'] : ['farcall:./', './']
    const result = await run([...options, '-e', relayCommand(relay.path), ...ends], local, {
      stdin: Buffer.concat(
        entries.flatMap(({ relative }) => [Buffer.from('./'), nameToBytes(relative), Buffer.alloc(1)]),
      ),
      arrived,
      signal,
    })
    signal?.throwIfAborted()
    const farWords = await relay.ended()
    if (result.exitCode !== 0) throw rsyncFailure(up, target, result, farWords)
    if (result.files < entries.length) throw changed(target)
    for (const { relative, size, mtime } of up ? entries : []) {
      const now = await stat(nativeName(joinPath(local, relative)))
      if (now.size !== size || Math.floor(now.mtimeMs / 1000) !== mtime) throw changed(relative)
    }
    for (const _ of entries) onFile()
  } finally {
    await relay.close()
    await rm(folder, { recursive: true, force: true })
    if (!up) await removeEmpty(joinPath(local, workFolder))
  }
}

/** Names that Node cannot hand over as the folder to work in. */
export const canWorkIn = (local: string): boolean => !isOdd(local)

const options = [
  // our own comparison has said that they differ
  '--ignore-times',
  '--perms',
  '--times',
  '--no-implied-dirs',
  '--files-from=-',
  '--from0',
  '--secluded-args',
  '--no-whole-file',
  `--temp-dir=${workFolder}`,
  `--partial-dir=${workFolder}`,
  '--info=progress2',
  '--no-human-readable',
  '--outbuf=N',
]

interface RsyncResult {
  readonly exitCode: number | undefined
  readonly stderr: string
  readonly files: number
}

function run(
  argv: readonly string[],
  cwd: string,
  {
    stdin,
    arrived,
    signal,
  }: { stdin: Buffer; arrived: (bytes: number) => void; signal: AbortSignal | undefined },
): Promise<RsyncResult> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, LC_ALL: 'C' }
    // of a process group of its own: Ctrl-C is ours to handle
    const child = spawnPiped('rsync', argv, { cwd, env, detached: true })
    const stop = () => void child.kill()
    signal?.addEventListener('abort', stop, { once: true })
    let [stderr, rest, files] = ['', '', 0]
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      const lines = (rest + text).split(/[\r\n]/)
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const [, bytes, count] = /^\s*(\d+)\s+\d+%.*?(?:xfr#(\d+).*)?$/.exec(line) ?? []
        if (bytes !== undefined) arrived(Number(bytes))
        if (count !== undefined) files = Number(count)
      }
    })
    child.stderr.on('data', (text: Buffer) => {
      stderr += text.toString('utf8')
    })
    child.stdin.on('error', () => {
      // it has ended before it read all; its exit code and words say why
    })
    child.stdin.end(stdin)
    child.on('error', reject)
    child.on('close', (code) => {
      signal?.removeEventListener('abort', stop)
      resolve({ exitCode: code ?? undefined, stderr, files })
    })
  })
}

/** rsync's words, without its own name for where it stood. */
function rsyncFailure(up: boolean, target: string, result: RsyncResult, farWords: string): FileError {
  const words = `${result.stderr}\n${farWords}`.trim()
  const said = words
    .split('\n')
    .filter((line) => !/^rsync error:/.test(line))
    .join('\n')
  const reads = /\[sender\]|send_files|link_stat/.test(said)
  const failure = fileFailureOf(reads ? 'read' : 'write', target, said || words)
  const named = /"([^"]+)"/.exec(said)?.[1]
  if (failure.code !== 'FILE_TRANSFER_FAILED')
    return named === undefined ? failure : fileFailureOf(reads ? 'read' : 'write', named, said)
  const last = words.split('\n').at(-1) || `exit code ${result.exitCode}`
  return new FileError('FILE_TRANSFER_FAILED', `sync ${up ? 'to' : 'into'} ${target}: ${last}`, target, {
    cause: words,
    hint: "`rsync: false` does it without the system's rsync",
  })
}

function changed(path: string): FileError {
  return new FileError('FILE_TRANSFER_FAILED', `${path} changed while it was transferred`, path, {
    hint: 'wait until nobody writes to it, and transfer it again',
  })
}

async function removeEmpty(folder: string): Promise<void> {
  await rmdir(nativeName(folder)).catch(() => {
    // what a cut has left in it is gone on with
  })
}
