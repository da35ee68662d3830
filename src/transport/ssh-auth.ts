import { existsSync, readFileSync } from 'node:fs'
import ssh2 from 'ssh2'
import { ConfigError, TransportError } from '../core/errors.ts'
import type { Profile } from '../core/profile.ts'
import { expandHome } from './expand-home.ts'
import type { SshTarget } from './ssh-config.ts'

export interface LoginAttempts {
  /** ssh2's authHandler: asked for the next way after each refusal. */
  handler(methods: string[] | null, partial: boolean, next: (method: unknown) => void): void
  note(text: string): void
  refused(name: string, cause: unknown): TransportError
}

interface Attempt {
  label: string
  /** The server's word for it. */
  method: string
  auth: object
}

type LoginProfile = Pick<Profile, 'identityFile' | 'password' | 'passphrase'>

/**
 * The ways to log in, in order: the profile's key, the agent, the usual keys, the password.
 * Files and variables are read now, so that one that is missing is told before a server counts a failure.
 */
export function createLoginAttempts(
  { user, agent, keys }: Pick<SshTarget, 'user' | 'agent' | 'keys'>,
  profile: LoginProfile,
  env: NodeJS.ProcessEnv = process.env,
): LoginAttempts {
  const notes: string[] = []
  const tried: string[] = []
  let offered: readonly string[] = []
  const queue: Attempt[] = []
  const passphrase = profile.passphrase && secret('passphrase', profile.passphrase.env, env)
  const addKey = (file: string, wanted: boolean) => {
    const key = readKey(file, passphrase, wanted, notes)
    if (key)
      queue.push({ label: file, method: 'publickey', auth: { type: 'publickey', username: user, key } })
  }
  if (profile.identityFile) addKey(expandHome(profile.identityFile), true)
  if (agent) {
    const auth = { type: 'agent', username: user, agent }
    queue.push({ label: 'agent', method: 'publickey', auth })
  }
  if (!profile.identityFile) for (const file of keys) addKey(file, false)
  if (profile.password) {
    const { env: variable } = profile.password
    const password = secret('password', variable, env)
    const label = `password from ${variable}`
    queue.push({ label, method: 'password', auth: { type: 'password', username: user, password } })
    const prompt = (
      _name: string,
      _text: string,
      _language: string,
      prompts: { echo?: boolean }[],
      answer: (answers: string[]) => void,
    ) => answer(prompts.map(() => password))
    const auth = { type: 'keyboard-interactive', username: user, prompt }
    queue.push({ label: `${label} (keyboard-interactive)`, method: 'keyboard-interactive', auth })
  }
  let askedNone = false
  return {
    handler(methods, _partial, next) {
      if (!askedNone) {
        // "none" only asks which ways there are, so that no key is spent on a server that takes none
        askedNone = true
        return next({ type: 'none', username: user })
      }
      offered = methods ?? offered
      for (let attempt = queue.shift(); attempt; attempt = queue.shift()) {
        if (methods && !methods.includes(attempt.method)) continue
        tried.push(attempt.label)
        return next(attempt.auth)
      }
      next(false)
    },
    note: (text) => notes.push(text),
    refused(name, cause) {
      const facts = [
        `tried ${tried.join(', ') || 'nothing'}`,
        ...(offered.length > 0 ? [`the server takes ${offered.join(', ')}`] : []),
        ...notes,
      ]
      return new TransportError('LOGIN_REFUSED', `${name}: login refused (${facts.join('; ')})`, {
        hint: `check user '${user}', and set identityFile, an agent (ssh-add), or password: { env: 'NAME' } in the profile`,
        cause,
      })
    },
  }
}

function readKey(file: string, passphrase: string | undefined, wanted: boolean, notes: string[]) {
  if (!existsSync(file)) {
    if (!wanted) return undefined
    throw new ConfigError('CONFIG_INVALID', `identityFile ${file} is not there`, {
      hint: 'correct the path, or remove it to use the agent and the default keys',
    })
  }
  const parsed = ssh2.utils.parseKey(readFileSync(file), passphrase)
  const key = Array.isArray(parsed) ? parsed[0] : parsed
  if (!(key instanceof Error) && key) {
    if (key.isPrivateKey()) return key
    throw new ConfigError('CONFIG_INVALID', `identityFile ${file} is a public key`, {
      hint: 'name the private one, without .pub',
    })
  }
  const encrypted = key && /encrypted|passphrase|bad decrypt|integrity/i.test(key.message)
  if (!encrypted && wanted)
    throw new ConfigError('CONFIG_INVALID', `identityFile ${file} cannot be used: ${key?.message}`, {
      hint: 'it must be a private key that OpenSSH wrote (ssh-keygen)',
      cause: key,
    })
  notes.push(
    encrypted
      ? `${file} is encrypted and ${passphrase === undefined ? 'no passphrase was given' : 'the passphrase does not open it'}: passphrase: { env: 'NAME' }, or ssh-add`
      : `${file} cannot be used: ${key?.message}`,
  )
  return undefined
}

function secret(field: string, variable: string, env: NodeJS.ProcessEnv): string {
  const value = env[variable]
  if (value === undefined)
    throw new ConfigError('CONFIG_INVALID', `${field}: the environment variable ${variable} is not set`, {
      hint: `export ${variable}, or remove ${field} from the profile`,
    })
  return value
}
