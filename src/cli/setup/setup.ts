/** farcall setup: from a host's name to a profile that works. Nothing that is there is overwritten. */
import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { withProfile } from '../../config/add-profile.ts'
import { userFolder } from '../../config/load.ts'
import { projectPlace, userPlace } from '../../config/where-to-write.ts'
import { ConfigError, TransportError } from '../../core/errors.ts'
import type { Profile } from '../../core/profile.ts'
import { detectSchedulers } from '../../executor/detect.ts'
import { findScheduler, schedulers } from '../../scheduler/all.ts'
import { authorizeKey } from '../../transport/authorize.ts'
import { resolveTarget, type SshTarget } from '../../transport/ssh-config.ts'
import { hasEntry, withEntry } from '../../transport/ssh-config-entry.ts'
import type { Transport } from '../../transport/transport.ts'
import type { Asker } from './asker.ts'
import { fingerprintOf, keyIn, shownPath } from './key-file.ts'
import { lineDiff } from './line-diff.ts'
import { tryAll, tryKeys } from './login.ts'
import { replaceFile } from './replace-file.ts'

export interface SetupOptions {
  readonly asker: Asker
  /** Whether there is somebody who may be asked again. */
  readonly terminal: boolean
  readonly user?: string | undefined
  readonly port?: number | undefined
  /** Of the Host entry and the profile. */
  readonly name?: string | undefined
  readonly key?: string | undefined
  readonly hostKey?: string | undefined
  readonly scheduler?: string | undefined
  readonly workdir?: string | undefined
  readonly sshConfig?: string | undefined
  /** Whether the host gets an entry in the ssh configuration; else the profile says all. */
  readonly entry: boolean
  /** The project's file instead of the user's. */
  readonly project: boolean
  readonly asDefault: boolean
}

type Login = Profile & { readonly host: string }

/** Gives the profile's name; undefined: it is for the person to add. @throws FarcallError, Declined */
export async function setUp(text: string, options: SetupOptions): Promise<string | undefined> {
  const { asker, workdir } = options
  const asked = readHost(text, options)
  const name = options.name ?? suggestName(asked.host)
  if (options.scheduler !== undefined) findScheduler(options.scheduler)
  const sshConfig = options.sshConfig === undefined ? {} : { sshConfig: resolve(options.sshConfig) }
  const login: Login = { scheduler: 'direct', ...asked, ...sshConfig }
  const keyFile = options.key === undefined ? undefined : resolve(options.key)
  const { transport, identityFile } = await getIn(login, keyFile, options)
  try {
    const place = await placeOf(name, login, identityFile, options)
    const scheduler = options.scheduler ?? (await detectScheduler(transport, asker))
    const profile = { scheduler, ...place, ...sshConfig, ...(workdir === undefined ? {} : { workdir }) }
    return (await saveProfile(name, profile, options)) ? name : undefined
  } finally {
    await transport[Symbol.asyncDispose]()
  }
}

/** [user@]host[:port] @throws ConfigError OPTION_INVALID */
export function readHost(
  text: string,
  { user, port }: Pick<SetupOptions, 'user' | 'port'>,
): { host: string; user?: string; port?: number } {
  const match = /^(?:([^@\s-][^@\s]*)@)?([^@:\s-][^@:\s]*|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?$/.exec(text)
  if (!match)
    throw new ConfigError('OPTION_INVALID', `'${text}' is no host`, {
      hint: 'give a name, an alias of ~/.ssh/config, or user@host:port',
    })
  const [, ownUser, host, ownPort] = match
  const said = { user: user ?? ownUser, port: port ?? (ownPort === undefined ? undefined : Number(ownPort)) }
  return {
    host: host!.replace(/^\[|\]$/g, ''),
    ...(said.user === undefined ? {} : { user: said.user }),
    ...(said.port === undefined ? {} : { port: said.port }),
  }
}

/** 'hpc' for login3.hpc.uni.edu: what people would call it. */
export function suggestName(host: string): string {
  if (isIP(host) !== 0) return 'cluster'
  const [first = '', second] = host.toLowerCase().split('.')
  const general = /^(login|ssh|head|gateway|gw|frontend|access|submit|user|cluster)[-\d]*$/.test(first)
  return general && second !== undefined ? second : first
}

async function getIn(
  login: Login,
  keyFile: string | undefined,
  options: SetupOptions,
): Promise<{ transport: Transport; identityFile?: string }> {
  const { asker, terminal } = options
  const own = keyFile === undefined ? {} : { identityFile: keyFile }
  const known = await tryKeys({ ...login, ...(keyFile && existsSync(keyFile) ? own : {}) }, options)
  if (known) {
    asker.say(`${known.name} lets you in by a key already`)
    return { transport: known, ...own }
  }
  const identityFile = keyFile ?? join(homedir(), '.ssh', 'id_ed25519')
  if (!existsSync(identityFile))
    await asker.confirm(`You have no key in ${shownPath(identityFile)}. Make one?`)
  const key = keyIn(identityFile, terminal)
  asker.show(key.made ? 'Your new key' : 'Your key', `${key.publicKey}\n${fingerprintOf(key)}`)
  await asker.confirm(`Install it on ${login.host}? Your password is asked once.`)
  const first = await tryAll(login, options)
  try {
    const done = await authorizeKey(first, key.publicKey)
    asker.say(
      `${first.name} ${done === 'added' ? 'lets you in by this key from now on' : 'had this key already'}`,
    )
  } finally {
    await first[Symbol.asyncDispose]()
  }
  const byKey = { ...login, identityFile }
  const transport = await tryKeys(byKey, options)
  if (transport) return { transport, identityFile }
  if (!terminal) throw keyDoesNotDo(login.host)
  asker.say(
    'The key alone does not let you in: the host wants more, or does not take it. You are asked once more.',
  )
  return { transport: await tryAll(byKey, options), identityFile }
}

function keyDoesNotDo(host: string): TransportError {
  return new TransportError('LOGIN_REFUSED', `${host}: the key is installed, and does not let you in`, {
    hint: 'the host may want a second factor (then log in on a terminal), take keys from elsewhere (ask the site), or refuse since your home folder there is writable by others (chmod go-w ~)',
  })
}

/** How the profile names the host: by its alias, with an entry where there is none. */
async function placeOf(
  name: string,
  login: Login,
  identityFile: string | undefined,
  options: SetupOptions,
): Promise<Pick<Profile, 'host' | 'user' | 'port' | 'identityFile'>> {
  const { asker } = options
  const file =
    options.sshConfig === undefined ? join(homedir(), '.ssh', 'config') : resolve(options.sshConfig)
  const target = await resolveTarget(login)
  const { host: _, user, port } = login
  const sshConfig = login.sshConfig === undefined ? {} : { sshConfig: login.sshConfig }
  const key = identityFile === undefined ? {} : { identityFile: shownPath(identityFile) }
  // What it was called by says all already.
  if (user === undefined && port === undefined && hasKey(target, identityFile)) return { host: login.host }
  if (!options.entry)
    return {
      host: login.host,
      ...(user === undefined ? {} : { user }),
      ...(port === undefined ? {} : { port }),
      ...(hasKey(target, identityFile) ? {} : key),
    }
  const named = await resolveTarget({ host: name, ...sshConfig })
  const same = (['host', 'user', 'port'] as const).every((what) => named[what] === target[what])
  if (same && hasKey(named, identityFile)) {
    asker.say(`${shownPath(file)} leads to ${target.host} as '${name}' already`)
    return { host: name }
  }
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  if (hasEntry(text, name))
    throw new ConfigError(
      'CONFIG_INVALID',
      `${file}: there is an entry 'Host ${name}' already, and it leads elsewhere`,
      {
        hint: 'it is left as it is: choose another name (--name), or none (--no-entry)',
      },
    )
  const entry = { alias: name, hostName: target.host, user: target.user, port: target.port, ...key }
  const made = withEntry(text, entry)
  asker.show(`To ${shownPath(file)}`, lineDiff(text, made))
  await asker.confirm('Write that?')
  replaceFile(file, made)
  return { host: name }
}

const hasKey = ({ keys }: SshTarget, file: string | undefined) => file === undefined || keys.includes(file)

/** Which scheduler's commands are there; direct where there is none. */
async function detectScheduler(transport: Transport, asker: Asker): Promise<string> {
  const [first, ...others] = await detectSchedulers(transport)
  if (first !== undefined) {
    asker.say(
      `${first} is there${others.length > 0 ? `, and ${others.join(', ')}: --scheduler takes another` : ''}`,
    )
    return first
  }
  const names = schedulers.flatMap(({ name, immediate }) => (immediate ? [] : [name]))
  asker.say(
    `there is no scheduler that farcall knows (${names.join(', ')}): jobs run on the host itself (direct)`,
  )
  return 'direct'
}

async function saveProfile(name: string, profile: Profile, options: SetupOptions): Promise<boolean> {
  const { asker, project, asDefault } = options
  const home = homedir()
  const { file, format, at, text } = project
    ? projectPlace(process.cwd(), home)
    : userPlace(userFolder(process.env, home))
  if (format === undefined) {
    asker.show(
      `${shownPath(file)} is a program: add this to its profiles`,
      `${JSON.stringify(name)}: ${JSON.stringify(profile)}`,
    )
    return false
  }
  const made = withProfile(text, format, { file: shownPath(file), name, profile, asDefault, at })
  if (made === undefined) {
    asker.say(`${shownPath(file)} has the profile '${name}' already`)
    return true
  }
  asker.show(`To ${shownPath(file)}`, lineDiff(text, made))
  await asker.confirm('Write that?')
  replaceFile(file, made)
  return true
}
