import { ConfigError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'

/** Variables that set a key of the selected profile. A number is read where the key wants one. */
export const profileVariables: Readonly<Record<string, { path: readonly string[]; number?: true }>> = {
  FARCALL_SCHEDULER: { path: ['scheduler'] },
  FARCALL_HOST: { path: ['host'] },
  FARCALL_PORT: { path: ['port'], number: true },
  FARCALL_USER: { path: ['user'] },
  FARCALL_TRANSPORT: { path: ['transport'] },
  FARCALL_SSH_CONFIG: { path: ['sshConfig'] },
  FARCALL_PROXY_JUMP: { path: ['proxyJump'] },
  FARCALL_IDENTITY_FILE: { path: ['identityFile'] },
  FARCALL_KNOWN_HOSTS: { path: ['knownHosts'] },
  FARCALL_HOST_KEY: { path: ['hostKey'] },
  FARCALL_WORKDIR: { path: ['workdir'] },
  FARCALL_TEMPLATE: { path: ['template'] },
  FARCALL_QUERY_INTERVAL: { path: ['queryInterval'], number: true },
  FARCALL_FILE_POLL: { path: ['filePoll'], number: true },
  FARCALL_GRACE: { path: ['grace'], number: true },
  FARCALL_KEEP: { path: ['keep'] },
  FARCALL_KEEP_FOR: { path: ['keepFor'], number: true },
  FARCALL_KEEP_BLOBS: { path: ['keepBlobs'], number: true },
  FARCALL_MIN_FREE: { path: ['minFree'], number: true },
  FARCALL_INTERRUPT: { path: ['interrupt'] },
  FARCALL_CONCURRENCY: { path: ['concurrency'], number: true },
  FARCALL_LAUNCHER: { path: ['launcher'] },
  FARCALL_TARGET_TIME: { path: ['targetTime'], number: true },
  FARCALL_LOCAL_THRESHOLD: { path: ['localThreshold'], number: true },
  FARCALL_NODE: { path: ['environment', 'node'] },
  FARCALL_CORES: { path: ['resources', 'cores'], number: true },
  FARCALL_MEMORY: { path: ['resources', 'memory'], number: true },
  FARCALL_TIME: { path: ['resources', 'time'], number: true },
  FARCALL_GPUS: { path: ['resources', 'gpus'], number: true },
  FARCALL_NODES: { path: ['resources', 'nodes'], number: true },
  FARCALL_TASKS_PER_NODE: { path: ['resources', 'tasksPerNode'], number: true },
  FARCALL_PARTITION: { path: ['resources', 'partition'] },
  FARCALL_QUEUE: { path: ['resources', 'queue'] },
  FARCALL_ACCOUNT: { path: ['resources', 'account'] },
  FARCALL_QOS: { path: ['resources', 'qos'] },
  FARCALL_CONSTRAINT: { path: ['resources', 'constraint'] },
  FARCALL_RESERVATION: { path: ['resources', 'reservation'] },
}

/** Variables that farcall reads elsewhere. */
export const otherVariables = [
  'FARCALL_PROFILE',
  'FARCALL_CONFIG',
  'FARCALL_CACHE_DIR',
  'FARCALL_STORE',
  'FARCALL_DEBUG',
  'FARCALL_PROGRESS',
] as const

// Tests and benchmarks; and what a job's own script sets on the node, where farcall may run again.
const foreign = /^FARCALL_(TEST|BENCH|JOB|TASK)_/

/** The FARCALL_ variables that set keys of a profile, by path, as values of the right type. */
export function profileFromEnvironment(
  env: NodeJS.ProcessEnv,
): { path: readonly string[]; value: string | number; variable: string }[] {
  return Object.entries(profileVariables).flatMap(([variable, { path, number }]) => {
    const text = env[variable]
    // An empty variable counts as unset, as in a shell's ${NAME:-default}.
    if (text === undefined || text === '') return []
    return [{ path, value: number && /^\d+(\.\d+)?$/.test(text) ? Number(text) : text, variable }]
  })
}

const known: readonly string[] = [...Object.keys(profileVariables), ...otherVariables]

/** A FARCALL_ variable that nothing reads, unless a file names it for a secret. */
export const isNobodys = (name: string): boolean =>
  name.startsWith('FARCALL_') && !known.includes(name) && !foreign.test(name)

/**
 * Refuses FARCALL_ variables that nothing reads: a misspelt one would be passed over in silence.
 * @param named variables that profiles name for their secrets
 */
export function checkVariables(env: NodeJS.ProcessEnv, named: ReadonlySet<string>): void {
  const unknown = Object.keys(env).filter((name) => isNobodys(name) && !named.has(name))
  if (unknown.length === 0) return
  const problems = unknown.map((name) => {
    const near = nearest(
      name.slice(8),
      known.map((other) => other.slice(8)),
    )
    return `${name}: unknown environment variable${near ? `, did you mean FARCALL_${near}?` : ''}`
  })
  throw new ConfigError('CONFIG_INVALID', problems.join('\n'), {
    hint: 'unset it; all variables are listed in docs/configuration.md',
  })
}
