import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir, hostname, userInfo } from 'node:os'
import { dirname } from 'node:path'
import { ConfigError } from '../../core/errors.ts'

export interface KeyFile {
  readonly file: string
  /** As it stands in the .pub file. */
  readonly publicKey: string
  readonly made: boolean
}

/**
 * The key in this file, or a new one there; a person at the terminal is asked for its passphrase by ssh-keygen itself.
 * @throws ConfigError
 */
export function keyIn(file: string, terminal: boolean): KeyFile {
  if (existsSync(file)) return { file, publicKey: publicKeyOf(file), made: false }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const comment = `${userInfo().username}@${hostname()}`
  const passphrase = terminal ? [] : ['-N', '']
  keygen(['-q', '-t', 'ed25519', '-C', comment, ...passphrase, '-f', file], terminal)
  return { file, publicKey: publicKeyOf(file), made: true }
}

/** 'SHA256:…' */
export function fingerprintOf(key: KeyFile): string {
  return /SHA256:\S+/.exec(keygen(['-l', '-f', `${key.file}.pub`], false))?.[0] ?? ''
}

function publicKeyOf(file: string): string {
  const beside = `${file}.pub`
  if (!existsSync(beside))
    throw new ConfigError('CONFIG_INVALID', `${file} has no public key beside it`, {
      hint: `ssh-keygen -y -f ${file} > ${beside} makes it`,
    })
  return readFileSync(beside, 'utf8').trim()
}

function keygen(args: readonly string[], terminal: boolean): string {
  const { error, status, stdout, stderr } = spawnSync('ssh-keygen', args, {
    encoding: 'utf8',
    stdio: terminal ? ['inherit', process.stderr, 'inherit'] : ['ignore', 'pipe', 'pipe'],
  })
  if (error)
    throw new ConfigError('CONFIG_INVALID', `ssh-keygen cannot be run: ${error.message}`, {
      hint: 'install OpenSSH here (openssh-client)',
      cause: error,
    })
  if (status !== 0)
    throw new ConfigError('CONFIG_INVALID', `ssh-keygen failed${stderr ? `: ${stderr.trim()}` : ''}`, {
      hint: 'see what it said above; --key names another file',
    })
  return stdout ?? ''
}

/** ~/… where the path is below the home folder. */
export function shownPath(file: string, home = homedir()): string {
  return file.startsWith(`${home}/`) ? `~${file.slice(home.length)}` : file
}
