import { execFile } from 'node:child_process'
import { userInfo } from 'node:os'
import { promisify } from 'node:util'
import { ConfigError } from '../core/errors.ts'
import type { Profile } from '../core/profile.ts'
import { expandHome } from './expand-home.ts'

/** Where a profile leads, with what ~/.ssh/config says about its host filled in. */
export interface SshTarget {
  readonly host: string
  readonly port: number
  readonly user: string
  /** Private keys to try when the profile names none; those that are not there are passed over. */
  readonly keys: readonly string[]
  readonly agent: string | undefined
  readonly knownHosts: readonly string[]
}

const defaultKeys = ['~/.ssh/id_ed25519', '~/.ssh/id_ecdsa', '~/.ssh/id_rsa']
const defaultKnownHosts = ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']
const systemKnownHosts = ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2']

/**
 * Asks OpenSSH (`ssh -G`), which reads ~/.ssh/config as it would for itself. What the profile says comes first.
 * Without OpenSSH on this machine the host is taken as it is written.
 * @throws ConfigError for a way through another host, which is not supported yet
 */
export async function resolveTarget(
  profile: Profile & { host: string },
  env: NodeJS.ProcessEnv = process.env,
): Promise<SshTarget> {
  const settings = parseSettings(await askOpenSsh(profile.host))
  const one = (name: string) => settings.get(name)?.[0]
  for (const name of ['proxyjump', 'proxycommand']) {
    const way = one(name)
    if (way && way !== 'none')
      throw new ConfigError('CONFIG_INVALID', `host '${profile.host}': ~/.ssh/config sets ${name} ${way}`, {
        hint: 'a way through another host is not supported yet; run farcall where the host can be reached directly',
      })
  }
  const agent = one('identityagent')
  return {
    host: one('hostname') ?? profile.host,
    port: profile.port ?? Number(one('port') ?? 22),
    user: profile.user ?? one('user') ?? userInfo().username,
    keys: (settings.get('identityfile') ?? defaultKeys).map(expandHome),
    agent:
      agent === 'none'
        ? undefined
        : !agent || agent === 'SSH_AUTH_SOCK'
          ? env.SSH_AUTH_SOCK
          : expandHome(agent),
    knownHosts: profile.knownHosts
      ? [expandHome(profile.knownHosts)]
      : [
          ...(one('userknownhostsfile')?.split(' ') ?? defaultKnownHosts),
          ...(one('globalknownhostsfile')?.split(' ') ?? systemKnownHosts),
        ].map(expandHome),
  }
}

/** `ssh -G` prints one setting per line, its name in small letters; some come more than once. */
export function parseSettings(text: string): Map<string, string[]> {
  const settings = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [, name, value] = /^(\S+) (.+)$/.exec(line.trimEnd()) ?? []
    if (name && value) settings.set(name, [...(settings.get(name) ?? []), value])
  }
  return settings
}

async function askOpenSsh(host: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('ssh', ['-G', '--', host], { timeout: 10_000 })
    return stdout
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string }
    if (code === 'ENOENT') return '' // no OpenSSH here, so nothing else reads ~/.ssh/config either
    throw new ConfigError('CONFIG_INVALID', `host '${host}': ssh -G fails: ${stderr?.trim()}`, {
      hint: 'correct ~/.ssh/config; `ssh -G HOST` shows the same error',
      cause: error,
    })
  }
}
