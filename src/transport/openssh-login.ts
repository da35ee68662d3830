import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError, TransportError } from '../core/errors.ts'
import { openAskpass } from './openssh-askpass.ts'
import {
  askSsh,
  clientOptions,
  loginOptions,
  masterOptions,
  options,
  startMaster,
} from './openssh-command.ts'
import { connectionOver } from './openssh-connection.ts'
import { isForPerson, loginFailure } from './openssh-failures.ts'
import { hasChosenPrompt, loginPrompt } from './prompt.ts'
import { isPasswordQuestion, nobodyAnswers, secret } from './ssh-auth.ts'
import { type LoginProfile, resolveTarget, type SshTarget } from './ssh-config.ts'
import { insist, type Login, type LoginContext } from './ssh-login.ts'

/** A socket's path has a limit of about 104 bytes, and ssh appends 17 while it makes it. */
const longestFolder = 60

/** Over the user's own running master, or over one of ours: by the system's ssh, which logs in as it always does. */
export async function logInByOpenssh(profile: LoginProfile, context: LoginContext): Promise<Login> {
  const target = await resolveTarget(profile)
  const name = `${target.user}@${target.host}:${target.port}`
  context.onName(name)
  const running = await runningMaster(target)
  if (running !== undefined) {
    const connection = connectionOver({ name, host: target.host, controlPath: running, end: async () => {} })
    return { name, connection, asked: false }
  }
  const folder = makeFolder()
  try {
    const asked = await insist(name, context, () => startOwn(profile, target, name, folder, context))
    const controlPath = join(folder, 's')
    const end = async () => {
      ours.delete(folder)
      try {
        await askSsh([...clientOptions(controlPath), '-O', 'exit', '--', target.host])
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }
    remember(folder, target.host)
    return { name, connection: connectionOver({ name, host: target.host, controlPath, end }), asked }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

/** The socket of a master that the user's configuration names and that answers. */
async function runningMaster({ controlPath, host }: SshTarget): Promise<string | undefined> {
  if (controlPath === undefined || !existsSync(controlPath)) return undefined
  const { exitCode } = await askSsh([...clientOptions(controlPath), '-O', 'check', '--', host])
  return exitCode === 0 ? controlPath : undefined
}

/** First without a person, then with one where that may help. Gives whether a person was asked. */
async function startOwn(
  profile: LoginProfile,
  target: SshTarget,
  name: string,
  folder: string,
  { settings, signal }: LoginContext,
): Promise<boolean> {
  const prompt = loginPrompt()
  const host = profile.host.slice(profile.host.lastIndexOf('@') + 1)
  const argv = (asks: boolean) => [
    ...(profile.host.includes('@') && profile.user === undefined
      ? ['-l', profile.host.slice(0, profile.host.lastIndexOf('@'))]
      : []),
    ...loginOptions(profile, target, asks),
    ...masterOptions(join(folder, 's'), target, settings.keepaliveMs),
    ...options({
      ConnectTimeout: String(
        Math.ceil((settings.connectTimeoutMs ?? target.connectTimeoutMs ?? 20_000) / 1000),
      ),
      ...(asks ? {} : { BatchMode: 'yes' }),
    }),
    '--',
    host,
  ]
  const secrets = [profile.password, profile.passphrase].some((one) => one !== undefined)
  if (!secrets) {
    const { exitCode, stderr } = await startMaster(argv(false), { show: false, signal, detached: true })
    if (exitCode === 0) return false
    if (!prompt || !isForPerson(stderr)) throw loginFailure(name, stderr, false)
    if (!hasChosenPrompt()) {
      // ssh has the terminal, as when it is called there
      const { exitCode: code, stderr: words } = await startMaster(argv(true), { show: true, signal })
      if (code !== 0) throw loginFailure(name, words, true)
      return true
    }
  }
  return startAsking(profile, name, argv(true), folder, signal)
}

/** ssh asks us: variables answer, or the prompt that the program has set. */
async function startAsking(
  profile: LoginProfile,
  name: string,
  argv: readonly string[],
  folder: string,
  signal: AbortSignal,
): Promise<boolean> {
  const prompt = loginPrompt()
  const passphrase = profile.passphrase && secret('passphrase', profile.passphrase.env, process.env)
  const password = profile.password && secret('password', profile.password.env, process.env)
  const unused = { passphrase, password }
  let asked = false
  let failure: Error | undefined
  const askpass = await openAskpass(folder, async (text) => {
    const kind = /passphrase/i.test(text) ? 'passphrase' : isPasswordQuestion(text) ? 'password' : undefined
    const known = kind && unused[kind]
    if (kind && known !== undefined) {
      // one that does not fit is not tried again
      unused[kind] = undefined
      return known
    }
    const lines = [{ text, echo: false }]
    if (!prompt) {
      failure ??= nobodyAnswers(name, lines)
      return undefined
    }
    asked = true
    try {
      return (await prompt({ target: name, instructions: '', prompts: lines }, signal))[0]
    } catch (cause) {
      failure ??= nobodyAnswers(name, lines, cause)
      return undefined
    }
  })
  try {
    const how = { env: askpass.env, show: false, signal, detached: true }
    const { exitCode, stderr } = await startMaster(argv, how)
    if (exitCode === 0) return asked
    const refused = loginFailure(name, stderr, asked)
    // what ssh went on to say is of less use than what nobody answered
    throw failure && refused instanceof TransportError && refused.code === 'LOGIN_REFUSED' ? failure : refused
  } finally {
    askpass.close()
  }
}

function makeFolder(): string {
  const { XDG_RUNTIME_DIR: runtime } = process.env
  const parents = [runtime && existsSync(runtime) ? runtime : undefined, tmpdir(), '/tmp']
  const parent = parents.find((path) => path !== undefined && path.length <= longestFolder)
  try {
    // of mode 0700
    return mkdtempSync(join(parent ?? '/tmp', 'farcall-'))
  } catch (error) {
    throw new ConfigError(
      'CONFIG_INVALID',
      `no folder for ssh's control socket: ${(error as Error).message}`,
      {
        hint: 'set TMPDIR to a folder that you may write to',
        cause: error,
      },
    )
  }
}

/** Masters of ours that run: they end with this process, and not a minute later. */
const ours = new Map<string, string>()
let watched = false

function remember(folder: string, host: string): void {
  ours.set(folder, host)
  if (!watched) process.once('exit', endAll)
  watched = true
}

function endAll(): void {
  for (const [folder, host] of ours) {
    const argv = [...clientOptions(join(folder, 's')), '-O', 'exit', '--', host]
    spawnSync('ssh', argv, { stdio: 'ignore', timeout: 5000 })
    rmSync(folder, { recursive: true, force: true })
  }
}
