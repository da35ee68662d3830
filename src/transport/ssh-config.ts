import { execFile } from 'node:child_process'
import { homedir, hostname, userInfo } from 'node:os'
import { promisify } from 'node:util'
import { ConfigError } from '../core/errors.ts'
import type { Profile } from '../core/profile.ts'
import { type Asked, type Here, readSettings, type Settings } from './ssh-config-files.ts'
import { expandTokens, tokensOf } from './ssh-tokens.ts'

/** What of a profile says how to log in. Profiles that agree in it share a connection. */
export type LoginProfile = Pick<
  Profile,
  | 'port'
  | 'user'
  | 'identityFile'
  | 'password'
  | 'passphrase'
  | 'knownHosts'
  | 'hostKey'
  | 'proxyJump'
  | 'sshConfig'
> & { readonly host: string }

/** Where a profile leads, with what the ssh configuration says about its host filled in. */
export interface SshTarget {
  readonly host: string
  readonly port: number
  readonly user: string
  /** Private keys to try, in order; those that are not there are passed over. */
  readonly keys: readonly string[]
  /** Of the agent's keys only those that `keys` names. */
  readonly identitiesOnly: boolean
  readonly certificates: readonly string[]
  readonly agent: string | undefined
  readonly knownHosts: readonly string[]
  /** The name in known_hosts, when it is not that of the host. */
  readonly hostKeyAlias: string | undefined
  readonly hostKey: 'strict' | 'accept-new'
  /** Undefined: directly. */
  readonly way: { readonly jump: LoginProfile } | { readonly command: string } | undefined
  readonly keepalive: { readonly everyMs: number; readonly count: number } | undefined
  readonly connectTimeoutMs: number | undefined
  /** Where a master of the user's own listens, if one does. */
  readonly controlPath: string | undefined
  /** Ways to log in that the configuration forbids, by the server's word for them. */
  readonly forbidden: readonly string[]
  /** How often a person is asked for the same secret. */
  readonly passwordPrompts: number
}

const systemConfig = '/etc/ssh/ssh_config'
const defaultKeys = ['rsa', 'ecdsa', 'ecdsa_sk', 'ed25519', 'ed25519_sk'].map((type) => `~/.ssh/id_${type}`)
const defaultKnownHosts = ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']
const systemKnownHosts = ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2']

export function here(env: NodeJS.ProcessEnv = process.env): Here {
  const { username, uid } = userInfo()
  return { home: homedir(), user: username, uid, hostname: hostname(), env, systemFile: systemConfig }
}

/**
 * What the ssh configuration and the profile say together; the profile comes first. OpenSSH is asked (`ssh -G`), which
 * reads the files as it would for itself; where it is not installed they are read here.
 * @throws ConfigError
 */
export async function resolveTarget(profile: LoginProfile, me: Here = here()): Promise<SshTarget> {
  const asked = askedOf(profile)
  const settings =
    (await askOpenSsh(asked, profile.sshConfig, me.env)) ?? readSettings(asked, profile.sshConfig, me)
  return targetOf(profile, asked, settings, me)
}

/** 'me@login.hpc.edu' is a host with a user. */
function askedOf({ host, user, port }: LoginProfile): Asked {
  const at = host.lastIndexOf('@')
  return at > 0 ? { host: host.slice(at + 1), user: user ?? host.slice(0, at), port } : { host, user, port }
}

export function targetOf(profile: LoginProfile, asked: Asked, settings: Settings, me: Here): SshTarget {
  const one = (name: string) => settings.get(name)?.[0]
  const isYes = (name: string) => /^(yes|true)$/i.test(one(name) ?? '')
  const isNo = (name: string) => /^(no|false)$/i.test(one(name) ?? '')
  const named = (name: string) => {
    const value = one(name)
    return value === undefined || value.toLowerCase() === 'none' ? undefined : value
  }
  const host = expandTokens(one('hostname') ?? asked.host, { '%': '%', h: asked.host }).toLowerCase()
  const port = Number(one('port') ?? 22)
  const user = one('user') ?? me.user
  const proxyJump = profile.proxyJump ?? named('proxyjump')
  const hostKeyAlias = named('hostkeyalias')
  const tokens = tokensOf({
    originalHost: asked.host,
    host,
    port,
    user,
    hostKeyAlias,
    proxyJump,
    home: me.home,
    localUser: me.user,
    localUid: me.uid,
    localHost: me.hostname,
  })
  const path = (text: string) => {
    const expanded = expandTokens(text, tokens, me.env)
    return expanded === '~' || expanded.startsWith('~/') ? me.home + expanded.slice(1) : expanded
  }
  const paths = (name: string, otherwise: readonly string[]) =>
    (settings.get(name) ?? otherwise).filter((value) => value.toLowerCase() !== 'none').map(path)
  const everyMs = seconds(one('serveraliveinterval'))
  return {
    host,
    port,
    user,
    keys: profile.identityFile ? [path(profile.identityFile)] : paths('identityfile', defaultKeys),
    identitiesOnly: isYes('identitiesonly'),
    certificates: paths('certificatefile', []),
    agent: agentOf(one('identityagent'), path, me.env),
    knownHosts: profile.knownHosts
      ? [path(profile.knownHosts)]
      : [
          ...paths('userknownhostsfile', defaultKnownHosts),
          ...paths('globalknownhostsfile', systemKnownHosts),
        ],
    hostKeyAlias,
    hostKey:
      profile.hostKey ??
      (/^(accept-new|no|off|false)$/i.test(one('stricthostkeychecking') ?? '') ? 'accept-new' : 'strict'),
    way: wayOf(proxyJump, named('proxycommand'), profile, (command) => expandTokens(command, tokens)),
    keepalive: everyMs ? { everyMs, count: Number(one('serveralivecountmax') ?? 3) } : undefined,
    connectTimeoutMs: seconds(named('connecttimeout')),
    controlPath: named('controlpath') && path(named('controlpath') as string),
    forbidden: [
      ...(isNo('pubkeyauthentication') ? ['publickey'] : []),
      ...(isNo('passwordauthentication') ? ['password'] : []),
      ...(isNo('kbdinteractiveauthentication') ? ['keyboard-interactive'] : []),
    ],
    passwordPrompts: Number(one('numberofpasswordprompts') ?? 3),
  }
}

function seconds(text: string | undefined): number | undefined {
  const value = Number(text)
  return text === undefined || Number.isNaN(value) || value <= 0 ? undefined : value * 1000
}

function agentOf(
  written: string | undefined,
  path: (text: string) => string,
  env: NodeJS.ProcessEnv,
): string | undefined {
  if (written?.toLowerCase() === 'none') return undefined
  if (written === undefined || written === 'SSH_AUTH_SOCK') return env.SSH_AUTH_SOCK || undefined
  return written.startsWith('$') && !written.startsWith('${') ? env[written.slice(1)] : path(written)
}

function wayOf(
  jumps: string | undefined,
  command: string | undefined,
  { sshConfig, hostKey }: LoginProfile,
  expand: (command: string) => string,
): SshTarget['way'] {
  if (jumps !== undefined && jumps.toLowerCase() !== 'none') {
    const all = jumps.split(',').map((jump) => jump.trim())
    const last = all.pop() as string
    for (const jump of all) parseJump(jump)
    return {
      jump: {
        ...parseJump(last),
        // the last one is reached over those before it
        ...(all.length > 0 && { proxyJump: all.join(',') }),
        // each is logged in to by what the configuration says about itself; how strangers are met is one for the whole way
        ...(sshConfig && { sshConfig }),
        ...(hostKey && { hostKey }),
      },
    }
  }
  return command !== undefined && jumps === undefined ? { command: expand(command) } : undefined
}

/** [user@]host[:port], [user@][address]:port, or ssh://[user@]host[:port]. */
function parseJump(text: string): LoginProfile {
  const pattern = /^(?:ssh:\/\/)?(?:(.+)@)?(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d+))?\/?$/
  const [, user, address, name, port] = pattern.exec(text) ?? []
  const host = address ?? name
  if (!host || host.startsWith('-'))
    throw new ConfigError('CONFIG_INVALID', `proxyJump: '${text}' is no host`, {
      hint: 'write user@host:port, and commas between several',
    })
  return { host, ...(user && { user }), ...(port && { port: Number(port) }) }
}

/** `ssh -G` prints one setting per line, its name in small letters; some come more than once. */
export function parseSettings(text: string): Settings {
  const settings: Settings = new Map()
  for (const line of text.split('\n')) {
    const [, name, value] = /^(\S+) (.+)$/.exec(line) ?? []
    if (!name || value === undefined) continue
    // a name with a blank in it cannot be told from two names
    const values = /^(user|global)knownhostsfile$/.test(name) ? value.split(' ') : [value]
    settings.set(name, [...(settings.get(name) ?? []), ...values])
  }
  return settings
}

/** Undefined: no OpenSSH here. */
export async function askOpenSsh(
  { host, user, port }: Asked,
  file: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Settings | undefined> {
  const options = [
    ...(file !== undefined ? ['-F', file] : []),
    ...(user !== undefined ? ['-l', user] : []),
    ...(port !== undefined ? ['-p', String(port)] : []),
  ]
  try {
    const { stdout } = await promisify(execFile)('ssh', [...options, '-G', '--', host], {
      timeout: 10_000,
      env,
    })
    return parseSettings(stdout)
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string }
    if (code === 'ENOENT') return undefined
    throw new ConfigError('CONFIG_INVALID', `host '${host}': ssh -G fails: ${stderr?.trim()}`, {
      hint: 'correct ~/.ssh/config; `ssh -G HOST` shows the same error',
      cause: error,
    })
  }
}
