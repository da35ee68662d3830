import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process'
import { ConfigError, type TransportError } from '../core/errors.ts'
import { notStarted } from './spawn-piped.ts'
import type { LoginProfile, SshTarget } from './ssh-config.ts'

/** How ssh is called for the login of a profile; the host comes last. */
export function loginOptions(profile: LoginProfile, target: SshTarget, asks: boolean): string[] {
  const { port, user, identityFile, knownHosts, hostKey, proxyJump, sshConfig } = profile
  // a changed key is refused whatever the configuration says; a stranger may be confirmed at the terminal
  const unknown =
    target.hostKey === 'accept-new' ? 'accept-new' : hostKey === undefined && asks ? 'ask' : 'yes'
  const settings = {
    Compression: 'no',
    StrictHostKeyChecking: unknown,
    ...(knownHosts !== undefined && { UserKnownHostsFile: knownHosts, GlobalKnownHostsFile: 'none' }),
    ...(proxyJump !== undefined && { ProxyJump: proxyJump }),
  }
  return [
    ...(sshConfig !== undefined ? ['-F', sshConfig] : []),
    ...(user !== undefined ? ['-l', user] : []),
    ...(port !== undefined ? ['-p', String(port)] : []),
    ...(identityFile !== undefined ? ['-i', identityFile] : []),
    ...options(settings),
  ]
}

/** What the master is, and is not, whatever the user's configuration adds for a session. */
export function masterOptions(
  controlPath: string,
  { keepalive }: SshTarget,
  everyMs: number | undefined,
): string[] {
  const interval = everyMs === undefined ? (keepalive?.everyMs ?? 15_000) : everyMs
  return [
    ...options({
      ControlMaster: 'yes',
      ControlPath: controlPath,
      // it ends by itself, should this program be killed: the last shell has ended with it then
      ControlPersist: '60',
      ServerAliveInterval: String(Math.max(1, Math.round(interval / 1000))),
      ServerAliveCountMax: String(keepalive?.count ?? 3),
      ClearAllForwardings: 'yes',
      ForwardX11: 'no',
      PermitLocalCommand: 'no',
      RemoteCommand: 'none',
      RequestTTY: 'no',
    }),
    '-N',
    '-f',
  ]
}

/** How ssh is called for what goes over a master. Without one it fails at once, and never logs in by itself. */
export function clientOptions(controlPath: string): string[] {
  return [
    '-F',
    'none',
    ...options({
      ControlMaster: 'no',
      ControlPath: controlPath,
      BatchMode: 'yes',
      ProxyCommand: 'exec false',
      LogLevel: 'ERROR',
    }),
  ]
}

export function options(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}

export interface SshResult {
  readonly exitCode: number
  readonly stderr: string
}

/** A short errand of ssh, such as -O check. */
export function askSsh(argv: readonly string[]): Promise<SshResult> {
  return new Promise((resolve, reject) => {
    execFile('ssh', argv, { timeout: 10_000 }, (error, _stdout, stderr) => {
      if (error && typeof error.code === 'string') reject(sshNotStarted(error as Error))
      else resolve({ exitCode: error ? Number(error.code ?? 255) : 0, stderr })
    })
  })
}

/**
 * Runs ssh until it is in the background, which is when the login is done. Its words are kept, and shown meanwhile where a
 * person sees them.
 */
export function startMaster(
  argv: readonly string[],
  { show, signal, ...how }: SpawnOptions & { show: boolean; signal: AbortSignal },
): Promise<SshResult> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn('ssh', argv, { ...how, stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('utf8')
      if (show) process.stderr.write(chunk)
    })
    const stop = () => child.kill()
    signal.addEventListener('abort', stop)
    child.on('error', (error) => reject(sshNotStarted(error)))
    // 'close' would wait for the one in the background, which may keep stderr
    child.on('exit', (code) => {
      signal.removeEventListener('abort', stop)
      setTimeout(() => {
        child.stderr?.destroy()
        resolve({ exitCode: code ?? 255, stderr })
      }, 20)
    })
  })
}

export function sshNotStarted(cause: NodeJS.ErrnoException): ConfigError | TransportError {
  if (cause.code !== 'ENOENT') return notStarted('ssh', cause)
  return new ConfigError(
    'CONFIG_INVALID',
    "transport 'openssh' needs the command ssh, which is not on PATH",
    {
      hint: "install OpenSSH's client, or use transport: 'ssh'",
      cause,
    },
  )
}
