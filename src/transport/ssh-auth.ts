import { ConfigError, TransportError } from '../core/errors.ts'
import { type LoginPrompt, type LoginPromptLine, loginPrompt } from './prompt.ts'
import type { LoginProfile, SshTarget } from './ssh-config.ts'
import { collectKeys, type KeySources, type OfferedKey, readKeyFiles } from './ssh-keys.ts'

export interface LoginAttempts {
  /** What the server said after a try: the ways that are left. ssh2 keeps it from its authHandler after an agent's key. */
  heard(methods: readonly string[], partial: boolean): void
  /** ssh2's authHandler: asked for the next way after each refusal. */
  handler(methods: string[] | null, partial: boolean | null, next: (method: unknown) => void): void
  note(text: string): void
  /** The server has been asked to let us in. */
  readonly begun: boolean
  /** A person was asked something. */
  readonly asked: boolean
  refused(name: string, cause: unknown): TransportError
}

export interface LoginOptions {
  readonly name: string
  readonly env?: NodeJS.ProcessEnv
  readonly prompt?: LoginPrompt | undefined
  /** Aborts when the connection is given up. */
  readonly signal: AbortSignal
  /** The login cannot go on: nobody answers. */
  fail(error: TransportError): void
}

/** One way to log in, by the server's word for it. */
interface Attempt {
  readonly label: string
  readonly method: 'publickey' | 'keyboard-interactive' | 'password'
  readonly auth: object
  /** It may be tried so often. */
  left: number
}

/** What the profile's password answers, and never a one-time one. */
export const isPasswordQuestion = (text: string) =>
  /password|passwort|mot de passe|contraseña/i.test(text) &&
  !/one-?time|otp|token|code|new password/i.test(text)

/**
 * The ways to log in, in order: keys, the profile's password, what a person answers. Files and variables are read now, so
 * that one that is missing is told before a server counts a failure.
 * @throws ConfigError
 */
export function createLoginAttempts(
  target: SshTarget,
  profile: LoginProfile,
  options: LoginOptions,
): LoginAttempts {
  const { user } = target
  const { name, env = process.env, prompt = loginPrompt(), signal } = options
  const notes: string[] = []
  const beyond: string[] = []
  const tried: string[] = []
  let remaining: readonly string[] | undefined
  let offered: readonly string[] = []
  let isPartial = false
  let asked = false
  const note = (text: string) => void notes.push(text)

  const ask = async (
    instructions: string,
    prompts: readonly LoginPromptLine[],
  ): Promise<readonly string[]> => {
    if (!prompt) throw nobodyAnswers(name, prompts)
    asked = true
    const answers = await prompt({ target: name, instructions, prompts }, signal)
    if (answers.length === prompts.length) return answers
    throw new Error(`${answers.length} answers to ${prompts.length} questions`)
  }
  const askOne = async (text: string) => (await ask('', [{ text, echo: false }]))[0] as string

  const askPassphrase = async (file: string) => {
    try {
      return await askOne(`Enter passphrase for key '${file}': `)
    } catch (error) {
      options.fail(unanswered(name, [], error))
      throw error
    }
  }

  const passphrase = profile.passphrase && secret('passphrase', profile.passphrase.env, env)
  const password = profile.password && secret('password', profile.password.env, env)
  const sources: KeySources = {
    files: target.keys,
    wanted: profile.identityFile ? target.keys[0] : undefined,
    agent: target.agent,
    identitiesOnly: target.identitiesOnly,
    certificates: target.certificates,
    passphrase,
    ask: prompt && askPassphrase,
    note,
    beyond: (what) => void beyond.push(what),
  }
  const files = readKeyFiles(sources)

  /** Answers what the server asks: by the profile's password once, else by a person. */
  const answerer = () => {
    let unused = password
    return (
      _name: string,
      instructions: string,
      _language: string,
      questions: { prompt: string; echo?: boolean }[],
      answer: (answers: string[]) => void,
    ) => {
      const lines = questions.map(({ prompt: text, echo }) => ({ text, echo: echo === true }))
      const known = lines.map(({ text, echo }) => {
        if (unused === undefined || echo || !isPasswordQuestion(text)) return undefined
        const value = unused
        unused = undefined
        return value
      })
      const open = lines.filter((_, index) => known[index] === undefined)
      const answered = open.length === 0 ? Promise.resolve([]) : ask(instructions, open)
      answered.then(
        (given) => {
          const rest = [...given]
          answer(known.map((value) => value ?? (rest.shift() as string)))
        },
        (error) => options.fail(unanswered(name, open, error)),
      )
    }
  }

  const keyAttempt = ({ label, auth }: OfferedKey): Attempt => ({
    label,
    method: 'publickey',
    auth: { ...auth, username: user },
    left: 1,
  })
  const interactive = prompt ? target.passwordPrompts : 1
  const later: Attempt[] = [
    ...(password !== undefined
      ? [
          {
            label: `password from ${profile.password?.env}`,
            method: 'password' as const,
            auth: { type: 'password', username: user, password },
            left: 1,
          },
        ]
      : []),
    {
      label:
        password === undefined
          ? 'keyboard-interactive'
          : `password from ${profile.password?.env} (keyboard-interactive)`,
      method: 'keyboard-interactive',
      auth: { type: 'keyboard-interactive', username: user },
      left: interactive,
    },
    {
      label: 'password',
      method: 'password',
      auth: { type: 'password', username: user },
      left: prompt && password === undefined ? interactive : 0,
    },
  ]
  let attempts: Attempt[] | undefined

  const nextAttempt = async (): Promise<unknown> => {
    attempts ??= [...(await collectKeys(sources, files)).map(keyAttempt), ...later]
    // with the key accepted and nobody to answer it is begun all the same, to tell what is asked
    const answerable = prompt !== undefined || password !== undefined || isPartial
    const possible = (attempt: Attempt) =>
      attempt.left > 0 &&
      (attempt.method !== 'keyboard-interactive' || answerable) &&
      !target.forbidden.includes(attempt.method) &&
      (remaining === undefined || remaining.includes(attempt.method))
    const attempt = attempts.find(possible)
    if (!attempt) return false
    attempt.left--
    tried.push(attempt.label)
    if (attempt.method === 'keyboard-interactive') return { ...attempt.auth, prompt: answerer() }
    if (attempt.method === 'password' && !('password' in attempt.auth))
      return { ...attempt.auth, password: await askOne(`${name}'s password: `) }
    return attempt.auth
  }

  let begun = false
  return {
    get begun() {
      return begun
    },
    get asked() {
      return asked
    },
    heard(methods, partial) {
      remaining = methods
      isPartial = partial
      if (!partial || offered.length === 0) offered = methods
    },
    handler(_methods, _partial, next) {
      if (!begun) {
        // "none" only asks which ways there are, so that no key is spent on a server that takes none
        begun = true
        next({ type: 'none', username: user })
        return
      }
      nextAttempt().then(next, (error) => options.fail(unanswered(name, [], error)))
    },
    note,
    refused(who, cause) {
      const facts = [
        `tried ${[...new Set(tried)].join(', ') || 'nothing'}`,
        ...(offered.length > 0 ? [`the server takes ${offered.join(', ')}`] : []),
        ...notes,
      ]
      const message = `${who}: login refused (${facts.join('; ')})`
      return new TransportError('LOGIN_REFUSED', message, { hint: wayOut(), cause })
    },
  }

  function wayOut(): string {
    const ours = ['publickey', 'password', 'keyboard-interactive']
    if (offered.length > 0 && !offered.some((method) => ours.includes(method)))
      return `transport: 'openssh' logs in with the system's ssh, which knows ${offered.join(', ')}`
    if (beyond.length > 0)
      return `transport: 'openssh' logs in with the system's ssh, which can use ${[...new Set(beyond)].join(', ')}`
    if (!prompt && offered.some((method) => method !== 'publickey') && password === undefined)
      return "run it in a terminal to be asked, or set identityFile, an agent (ssh-add), or password: { env: 'NAME' } in the profile"
    return `check user '${user}', and set identityFile, an agent (ssh-add), or password: { env: 'NAME' } in the profile`
  }
}

export function nobodyAnswers(
  name: string,
  prompts: readonly LoginPromptLine[],
  cause?: unknown,
): TransportError {
  if (cause !== undefined) return unanswered(name, prompts, cause)
  const asks = prompts.map(({ text }) => JSON.stringify(text.trim())).join(', ')
  return new TransportError(
    'LOGIN_INTERACTIVE',
    `${name}: the login asks ${asks || 'for more than a key'}, and there is no terminal to answer on`,
    {
      hint: "run it in a terminal, answer by setLoginPrompt(), or log in once by ssh with a ControlMaster and set transport: 'openssh'",
    },
  )
}

function unanswered(name: string, prompts: readonly LoginPromptLine[], cause: unknown): TransportError {
  if (cause instanceof TransportError) return cause
  const asks = prompts.map(({ text }) => JSON.stringify(text.trim())).join(', ')
  const why = cause instanceof Error ? cause.message : String(cause)
  return new TransportError('LOGIN_INTERACTIVE', `${name}: nobody answered${asks && ` ${asks}`}: ${why}`, {
    hint: 'try again, and answer what is asked',
    cause,
  })
}

export function secret(field: string, variable: string, env: NodeJS.ProcessEnv): string {
  const value = env[variable]
  if (value === undefined)
    throw new ConfigError('CONFIG_INVALID', `${field}: the environment variable ${variable} is not set`, {
      hint: `export ${variable}, or remove ${field} from the profile`,
    })
  return value
}
