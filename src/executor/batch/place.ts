import { ConfigError, FarcallError, TransportError } from '../../core/errors.ts'
import type { NodePlatform } from '../../core/interpreter.ts'
import { type CommandResult, shellPath, shellQuote } from '../../core/shell.ts'
import type { Transport } from '../../transport/transport.ts'
import { probeScript } from './place-scripts.ts'
import type { RuntimeThere } from './runtimes.ts'
import { exits } from './script-exits.ts'

/** What was found where the jobs will lie. */
export interface Place {
  /** Absolute path on the cluster. */
  readonly workdir: string
  readonly cores: number
  /** Seconds since this place was cleaned; undefined: never. */
  readonly cleanedAgo: number | undefined
  /** Blobs that are there, of those asked for: name -> size. */
  readonly blobs: ReadonlyMap<string, number>
  readonly runtimes: readonly RuntimeThere[]
  /** This machine, where it has neither node nor modules: those that jobs run on may be like it. */
  readonly bare: NodePlatform | undefined
}

/**
 * Makes the work folder, or finds it, and refuses one that others could write to.
 * @throws ConfigError WORKDIR_UNUSABLE, WORKDIR_UNSAFE
 */
export async function probePlace(
  transport: Transport,
  workdir: string,
  blobs: readonly string[],
): Promise<Place> {
  const script = probeScript(shellPath(workdir))
  const result = await transport.exec({ argv: ['sh', '-c', script, 'farcall', ...blobs] })
  if (result.exitCode !== 0)
    throw new ConfigError(
      'WORKDIR_UNUSABLE',
      `workdir ${JSON.stringify(workdir)} on ${transport.name}: ${result.stderr.trim() || `exit code ${result.exitCode}`}`,
      { hint: 'name a folder that you may write to and that the nodes share, as `workdir` of the profile' },
    )
  return readProbe(Buffer.from(result.stdout).toString('utf8'), transport.name)
}

function readProbe(text: string, name: string): Place {
  const facts = new Map<string, string>()
  const blobs = new Map<string, number>()
  const runtimes: RuntimeThere[] = []
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    const [key, value] = [line.slice(0, space), line.slice(space + 1)]
    if (key === 'blob') {
      const [blob, size] = value.split(' ').filter(Boolean)
      blobs.set(blob!, Number(size))
    } else if (key === 'node') {
      const [name = '', glibc = ''] = value.split(' ')
      runtimes.push({ name, glibc })
    } else facts.set(key, value)
  }
  const workdir = facts.get('workdir')
  const [mode, , owner] = (facts.get('folder') ?? '').split(/\s+/)
  if (!workdir || !mode || !owner)
    throw new FarcallError(
      'COMMAND_FAILED',
      `${name}: the answer to our first command makes no sense: ${text.slice(0, 200)}`,
      {
        hint: 'does a start-up file of your shell print something, or replace commands?',
      },
    )
  if (workdir.includes('\\'))
    throw new ConfigError('WORKDIR_UNUSABLE', `workdir ${workdir} on ${name} holds a backslash`, {
      hint: 'Node imports nothing from such a folder; name another as `workdir`',
    })
  if (owner !== facts.get('uid'))
    throw new ConfigError(
      'WORKDIR_UNSAFE',
      `workdir ${workdir} on ${name} belongs to uid ${owner}, not to you`,
      {
        hint: 'name a folder of your own as `workdir`',
      },
    )
  // ls -l: drwxrwxrwx; places 5 and 8 are the write bits of group and others
  if (mode[5] === 'w' || mode[8] === 'w')
    throw new ConfigError(
      'WORKDIR_UNSAFE',
      `workdir ${workdir} on ${name} can be written to by others (${mode})`,
      {
        hint: `chmod go-w ${shellQuote(workdir)}`,
      },
    )
  const cleaned = facts.get('cleaned')
  const cleanedAgo = cleaned === undefined ? undefined : Number(facts.get('time')) - Number(cleaned)
  const cores = Math.max(1, Number(facts.get('cores')) || 1)
  return { workdir, cores, cleanedAgo, blobs, runtimes, bare: bareMachine(facts, name) }
}

function bareMachine(facts: ReadonlyMap<string, string>, host: string): NodePlatform | undefined {
  const [arch, glibc] = [facts.get('arch'), /^glibc ([\d.]+)/.exec(facts.get('libc') ?? '')?.[1]]
  if (!arch || !glibc || !facts.has('modules')) return undefined
  return { host, arch, glibc, musl: false, stdcxx: '' }
}

/** One of our commands failed there: the folder is gone, or something else that may pass. */
export function placeFailed({ exitCode, stderr }: CommandResult, name: string): FarcallError {
  if (exitCode === exits.unusable)
    return new TransportError('WORKDIR_UNUSABLE', `${name}: the work folder is gone: ${stderr.trim()}`, {
      transient: true,
    })
  const words = stderr.trim() || 'no message'
  return new FarcallError('COMMAND_FAILED', `${name}: looking for results failed (${exitCode}): ${words}`, {
    transient: true,
  })
}
