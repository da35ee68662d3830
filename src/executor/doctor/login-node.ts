/** What the survey says about the login node: shell, disk, quota, node. */
import type { Profile } from '../../core/profile.ts'
import { formatMemory } from '../../core/units.ts'
import { roomOf } from '../batch/room.ts'
import { ok, type Step, span, trouble } from './step.ts'
import type { Survey } from './survey.ts'

const slowShellSeconds = 2
const slowWriteSeconds = 2

/** Start-up files, as a command over ssh meets them. */
export function judgeShell({ shell }: Survey): Step {
  const { name, noise, exitCode, seconds } = shell
  const facts = { shell: name, noise, seconds }
  const files = startUpFiles(name)
  if (noise !== '')
    return trouble(
      'shell',
      'warning',
      `${files} print${files.includes(' ') ? '' : 's'} something where there is no terminal: ${JSON.stringify(shorten(noise))}`,
      `farcall skips it, but scp, rsync and sftp break on it: print only where someone reads it${/bash|zsh|sh$/.test(name) ? ', as in `[ -t 1 ] && echo hello`' : ''}`,
      { facts },
    )
  if (exitCode === 124 || seconds > slowShellSeconds)
    return trouble(
      'shell',
      'slow',
      `${files} take${files.includes(' ') ? '' : 's'} ${exitCode === 124 ? 'more than 20 s' : span(seconds)} to start a shell`,
      'every ssh command waits for that: move what is slow (conda init, module load) behind `[ -t 1 ]`, or into `environment` of the profile',
      { facts },
    )
  return ok('shell', `${name} starts in ${span(seconds)} and prints nothing`, facts)
}

function startUpFiles(shell: string): string {
  switch (shell.replace(/.*\//, '')) {
    case 'bash':
      return '.bashrc'
    case 'zsh':
      return '.zshenv'
    case 'csh':
      return '.cshrc'
    case 'tcsh':
      return '.tcshrc or .cshrc'
    case 'fish':
      return 'config.fish'
    default:
      return `start-up files of ${shell}`
  }
}

const shorten = (text: string) => (text.length > 80 ? `${text.slice(0, 77)}...` : text)

const inMemory = /^(tmpfs|ramfs)$/

/** Free space and the kind of file system. `alone`: jobs run on this very machine. */
export function judgeSpace(
  { disk, write }: Survey,
  workdir: string,
  profile: Pick<Profile, 'minFree'>,
  alone: boolean,
): Step {
  const { free, size, type, mount } = disk
  const facts = { free, size, type, mount, writeSeconds: write.seconds }
  const kind = type === '' ? 'a file system' : type
  const found = `${kind} at ${mount}${Number.isNaN(free) ? '' : `, ${formatMemory(free)} of ${formatMemory(size)} free`}`
  if (/No space left/i.test(write.failure))
    return trouble(
      'space',
      'failed',
      `${found}; writing a megabyte: ${lastWords(write.failure)}`,
      'free some space there, or name another `workdir` in the profile',
      {
        code: 'WORKDIR_UNUSABLE',
        facts,
      },
    )
  if (write.failure !== '' && !isQuota(write.failure))
    return trouble(
      'space',
      'failed',
      `writing a megabyte to ${workdir}: ${lastWords(write.failure)}`,
      'name another `workdir` in the profile, or ask the site',
      {
        code: 'WORKDIR_UNUSABLE',
        facts,
      },
    )
  const { kib, hundredths } = roomOf(profile)
  if (free / 1024 < kib && (free / size) * 10_000 < hundredths)
    return trouble(
      'space',
      'failed',
      `${found}: less than farcall wants before it submits`,
      'free some space there, name another `workdir`, or set `minFree` of the profile',
      { code: 'DISK_LOW', facts },
    )
  if (inMemory.test(type) && !alone)
    return trouble(
      'space',
      'warning',
      `${found}: that is this machine's memory, which no other node sees`,
      'name a `workdir` on a shared file system: your home, or $SCRATCH/farcall',
      { facts },
    )
  if (write.seconds > slowWriteSeconds)
    return trouble(
      'space',
      'slow',
      `${found}; writing a megabyte took ${span(write.seconds)}`,
      'the file system is busy; another one ($SCRATCH) may be quicker for the `workdir`',
      { facts },
    )
  return ok('space', `${found}; a megabyte is written in ${span(write.seconds)}`, facts)
}

const isQuota = (text: string) => /quota|EDQUOT/i.test(text)
const lastWords = (text: string) => text.split('\n').at(-1)!.replace(/^.*: /, '')

export interface QuotaUse {
  readonly place: string
  /** Bytes. */
  readonly used: number
  readonly limit: number
  /** Files. */
  readonly files: number
  readonly fileLimit: number
}

/** The user's quotas: full, nearly full, or with room. */
export function judgeQuota({ quota, write, disk }: Survey): Step {
  const uses = [...parseQuota(quota.quota), ...parseQuota(quota.lustre)]
  const own = uses.filter(({ place }) => place === disk.mount || disk.mount.startsWith(`${place}/`))
  const facts = { quotas: uses }
  const wayOut =
    'delete what is not needed (`du -xh --max-depth=2 ~ | sort -h | tail`), or name a `workdir` elsewhere ($SCRATCH)'
  if (isQuota(write.failure))
    return trouble(
      'quota',
      'failed',
      `your quota is used up: writing a megabyte said "${lastWords(write.failure)}"${own.length > 0 ? ` (${own.map(shownUse).join('; ')})` : ''}`,
      wayOut,
      { code: 'WORKDIR_UNUSABLE', facts },
    )
  const full = uses.filter((use) => share(use) >= 1)
  if (full.length > 0)
    return trouble('quota', 'failed', `your quota is used up: ${full.map(shownUse).join('; ')}`, wayOut, {
      code: 'WORKDIR_UNUSABLE',
      facts,
    })
  const nearly = uses.filter((use) => share(use) >= 0.9)
  if (nearly.length > 0)
    return trouble('quota', 'warning', `nearly used up: ${nearly.map(shownUse).join('; ')}`, wayOut, {
      facts,
    })
  if (uses.length > 0) return ok('quota', uses.map(shownUse).join('; '), facts)
  return ok('quota', 'no quota is told here, and a megabyte could be written', facts)
}

const share = ({ used, limit, files, fileLimit }: QuotaUse) =>
  Math.max(limit > 0 ? used / limit : 0, fileLimit > 0 ? files / fileLimit : 0)

function shownUse({ place, used, limit, files, fileLimit }: QuotaUse): string {
  const parts = [
    ...(limit > 0 ? [`${formatMemory(used)} of ${formatMemory(limit)}`] : []),
    ...(fileLimit > 0 ? [`${files} of ${fileLimit} files`] : []),
  ]
  return `${place}: ${parts.join(', ')}`
}

/**
 * `quota -w` and `lfs quota -q`: a line is a file system, KiB used, soft and hard limit, grace, then the same for
 * files. A star marks what is over its limit; a grace period is there only then. Lines without a limit are left out.
 */
export function parseQuota(text: string): QuotaUse[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/)
    const [place, ...rest] = words
    if (place === undefined || !/^\d+\*?$/.test(rest[0] ?? '')) return []
    const numbers = readColumns(rest)
    if (!numbers) return []
    const [used, soft, hard, files, softFiles, hardFiles] = numbers
    const use = {
      place,
      used: used! * 1024,
      limit: (soft! || hard!) * 1024,
      files: files!,
      fileLimit: softFiles! || hardFiles!,
    }
    return use.limit > 0 || use.fileLimit > 0 ? [use] : []
  })
}

/** used soft hard [grace] files soft hard [grace]; a grace is '-', 'none', '6days', '13:37'. */
function readColumns(words: readonly string[]): number[] | undefined {
  const numbers: number[] = []
  for (const word of words) if (/^\d+\*?$/.test(word)) numbers.push(Number.parseInt(word, 10))
  return numbers.length >= 6 ? numbers.slice(0, 6) : undefined
}

/** Node on the login node. It decides nothing: jobs look for theirs where they run. */
export function judgeNode({ node, libc, machine, host }: Survey, jobTells: boolean): Step {
  const facts = { host, path: node.path, version: node.version, libc, machine }
  const where = `on ${host} (${[machine, libc].filter(Boolean).join(', ')})`
  const rest = jobTells
    ? 'a compute node is asked below'
    : 'where compute nodes have none either, farcall sends one'
  if (node.version !== '' && Number(/^v(\d+)/.exec(node.version)?.[1]) >= 16)
    return ok('node', `${node.version} at ${node.path} ${where}`, facts)
  if (node.version !== '') return ok('node', `${node.version} ${where}, too old for calls; ${rest}`, facts)
  const found = node.path === '' ? `no node on PATH ${where}` : `${node.path} does not start ${where}`
  return ok('node', `${found}; ${rest}`, facts)
}

export const nodeHint =
  "look at `environment.node` of the profile: 'auto' takes one on PATH or of a module, or sends one (docs/clusters/node.md)"
