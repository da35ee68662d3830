import { spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { removeFolder } from '../remove-folder.ts'
import { guard } from './guard.ts'
import { pathWithNode } from './node-on-path.ts'
import { descendants, freePorts, isAlive, run, stopProcesses, until } from './processes.ts'
import { type PlainUser, plainUser } from './user.ts'

/** A private OpenSSH server on loopback, and all that a client needs to log in. */
export interface Sshd {
  readonly host: string
  readonly port: number
  readonly pid: number
  readonly user: string
  readonly home: string
  readonly identityFile: string
  readonly rsaIdentityFile: string
  readonly encryptedIdentityFile: string
  /** Opens `encryptedIdentityFile`. */
  readonly passphrase: string
  /** Know the host by its ed25519 key: in plain text, hashed; and by its RSA key alone. */
  readonly knownHosts: string
  readonly hashedKnownHosts: string
  readonly rsaKnownHosts: string
  readonly hostKeyFile: string
  readonly rsaHostKeyFile: string
  /** The options with which OpenSSH's ssh, scp and sftp log in: `ssh ...sshArgs user@host`. */
  readonly sshArgs: readonly string[]
  readonly logFile: string
  /** What the server logged until now. */
  log(): string
  /** Ends the sessions and the server, and nothing else: connections are refused until it is opened again. */
  shut(): Promise<void>
  reopen(): Promise<void>
  /** Ends the sessions and the server, and takes its folder and its user away. */
  stop(): Promise<void>
}

export interface SshdOptions {
  maxSessions?: number
  /** Lines of sshd_config; they come before the defaults, and sshd keeps the first value. */
  extra?: readonly string[]
  /** Lines after all others: sshd takes the last MaxStartups. */
  last?: readonly string[]
  /** An account that exists (or is made) instead of a new one. */
  user?: string
  /** An account of a cluster that is up already; whoever made it takes it away. */
  account?: PlainUser
  /** As root: file systems in memory that its sessions see and nobody else does, by folder: mount's options. */
  privateMounts?: Readonly<Record<string, string>>
  /** As root: a folder that its sessions see as the root of the machine, with /proc in it. */
  root?: string
  /** Variables of every session. Without a PATH here theirs has the `node` that runs the tests. */
  env?: Readonly<Record<string, string>>
  /** The address it listens on; default 127.0.0.1. */
  listen?: string
  /** The network namespace that it lives in, and its sessions. */
  netns?: string
  /** A PAM service of its own, as lines of its file: sshd asks by keyboard-interactive what they ask. Root only. */
  pam?: readonly string[]
}

export const sshdPath = '/usr/sbin/sshd'
const passphrase = 'correct horse'

/** Starts one, in about half a second. As root for a plain user of its own, else for the user who runs the tests. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const folder = mkdtempSync(join(tmpdir(), 'farcall-sshd-'))
  chmodSync(folder, 0o755)
  const file = (name: string) => join(folder, name)
  const host = options.listen ?? '127.0.0.1'
  const [port, account] = await Promise.all([
    freePorts(1).then(([free]) => free!),
    options.account ?? plainUser(file('home'), options.user),
    key(file('hostkey_ed25519'), 'ed25519'),
    key(file('hostkey_rsa'), 'rsa'),
    key(file('id_ed25519'), 'ed25519'),
    key(file('id_rsa'), 'rsa'),
    key(file('id_encrypted'), 'ed25519', passphrase),
  ])
  const release = guard(folder, options.account ? undefined : account)
  const publicKeys = ['id_ed25519', 'id_rsa', 'id_encrypted'].map((name) =>
    readFileSync(file(`${name}.pub`), 'utf8'),
  )
  writeFileSync(file('authorized_keys'), publicKeys.join(''))
  const env = { PATH: options.env?.['PATH'] ?? (await pathWithNode(folder, account)), ...options.env }
  writeFileSync(file('sshd_config'), configuration(folder, port, { ...options, env }))
  writeFileSync(file('known_hosts'), knownHost(host, port, file('hostkey_ed25519.pub')))
  writeFileSync(file('known_hosts_rsa'), knownHost(host, port, file('hostkey_rsa.pub')))
  copyFileSync(file('known_hosts'), file('known_hosts_hashed'))
  await run('ssh-keygen', ['-q', '-H', '-f', file('known_hosts_hashed')])
  rmSync(file('known_hosts_hashed.old'), { force: true })

  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true }) // sshd's privilege separation wants it
  const args = ['-D', '-f', file('sshd_config'), '-E', file('log')]
  // PAM names the service after the file that was started, in small letters
  const binary = options.pam ? file(basename(folder).toLowerCase()) : sshdPath
  const pamFile = options.pam && `/etc/pam.d/${basename(binary)}`
  if (options.pam && pamFile) {
    symlinkSync(sshdPath, binary)
    writeFileSync(pamFile, `${options.pam.join('\n')}\n`)
  }
  const inside = options.netns ? ['nsenter', `--net=/run/netns/${options.netns}`] : []
  // In a mount namespace of its own, so that the mount goes with it, however it ends.
  const mount = ['unshare', '-m', 'sh', '-c', 'mount -t proc proc "$0/proc" && exec "$@"']
  const rooted = options.root ? [...mount, options.root, binary, ...args] : [binary, ...args]
  const argv = [...inside, ...inPrivate(options.privateMounts ?? {}, rooted)]
  const log = () => (existsSync(file('log')) ? readFileSync(file('log'), 'utf8') : '')
  let pid = 0
  /** Listening, or with its last words. Not seen by a connection: that would count against MaxStartups. */
  const open = async () => {
    const before = log().length
    const daemon = spawn(argv[0]!, argv.slice(1), { detached: true, stdio: 'ignore', cwd: '/' })
    daemon.unref()
    if (daemon.pid === undefined) throw new Error(`${sshdPath} cannot be started`)
    pid = daemon.pid
    const listens = () => log().slice(before).includes('Server listening')
    await until(() => listens() || !isAlive(pid), 30_000)
    if (!isAlive(pid) || !listens()) throw new Error(`sshd did not start:\n${log().slice(before)}`)
  }
  const shut = async () => {
    if (pid > 0) await stopProcesses([pid, ...descendants([pid])])
    pid = 0
  }
  const stop = async () => {
    await shut()
    if (pamFile) rmSync(pamFile, { force: true })
    if (!options.account) await account.remove()
    removeFolder(folder)
    release()
  }
  await open().catch(async (error) => {
    await stop()
    throw error
  })
  const identityFile = file('id_ed25519')
  const knownHosts = file('known_hosts')
  return {
    host,
    port,
    get pid() {
      return pid
    },
    user: account.name,
    home: account.home,
    identityFile,
    rsaIdentityFile: file('id_rsa'),
    encryptedIdentityFile: file('id_encrypted'),
    passphrase,
    knownHosts,
    hashedKnownHosts: file('known_hosts_hashed'),
    rsaKnownHosts: file('known_hosts_rsa'),
    hostKeyFile: file('hostkey_ed25519'),
    rsaHostKeyFile: file('hostkey_rsa'),
    sshArgs: sshArgs(port, identityFile, knownHosts),
    logFile: file('log'),
    log,
    shut,
    reopen: open,
    stop,
  }
}

/** The same process, in a mount namespace of its own. */
function inPrivate(mounts: Readonly<Record<string, string>>, argv: readonly string[]): readonly string[] {
  const all = Object.entries(mounts)
  if (all.length === 0) return argv
  const script =
    'while [ "$1" != -- ]; do mount -t tmpfs -o "$2" tmpfs "$1" || exit; shift 2; done; shift; exec "$@"'
  return ['unshare', '-m', 'sh', '-c', script, 'sh', ...all.flat(), '--', ...argv]
}

async function key(file: string, type: 'ed25519' | 'rsa', secret = ''): Promise<void> {
  const size = type === 'rsa' ? ['-b', '2048'] : []
  await run('ssh-keygen', ['-q', '-t', type, ...size, '-N', secret, '-C', 'farcall-test', '-f', file])
}

function knownHost(host: string, port: number, publicKeyFile: string): string {
  return `[${host}]:${port} ${readFileSync(publicKeyFile, 'utf8').split(' ').slice(0, 2).join(' ')}\n`
}

function sshArgs(port: number, identityFile: string, knownHosts: string): string[] {
  const settings = [
    'IdentitiesOnly=yes',
    'BatchMode=yes',
    `UserKnownHostsFile=${knownHosts}`,
    'GlobalKnownHostsFile=none',
  ]
  return [
    '-F',
    'none',
    '-o',
    `Port=${port}`,
    '-i',
    identityFile,
    ...settings.flatMap((setting) => ['-o', setting]),
  ]
}

function configuration(folder: string, port: number, options: SshdOptions): string {
  const env = Object.entries(options.env ?? {}).map(([name, value]) => `"${name}=${value}"`)
  return [
    ...(options.extra ?? []),
    ...(options.root ? [`ChrootDirectory ${options.root}`] : []),
    ...(env.length > 0 ? [`SetEnv ${env.join(' ')}`] : []),
    `Port ${port}`,
    `ListenAddress ${options.listen ?? '127.0.0.1'}`,
    `HostKey ${folder}/hostkey_ed25519`,
    `HostKey ${folder}/hostkey_rsa`,
    'PidFile none',
    `AuthorizedKeysFile ${folder}/authorized_keys`,
    'StrictModes no', // the temporary folder above is writable by all
    `UsePAM ${options.pam ? 'yes' : 'no'}`,
    'PasswordAuthentication no',
    `KbdInteractiveAuthentication ${options.pam ? 'yes' : 'no'}`,
    'PrintMotd no',
    'PrintLastLog no',
    'UseDNS no',
    'MaxStartups 100:30:200',
    `MaxSessions ${options.maxSessions ?? 64}`,
    'LoginGraceTime 30',
    'Subsystem sftp internal-sftp',
    'LogLevel VERBOSE',
    ...(options.last ?? []),
    '',
  ].join('\n')
}
