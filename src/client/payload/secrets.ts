import { ConfigError } from '../../core/errors.ts'
import type { Environment } from '../../core/profile.ts'
import type { Secrets } from '../../executor/executor.ts'

/**
 * The values that a job's `environment.secrets` name, as this process has them now.
 * @throws ConfigError SECRET_MISSING for one that is not set, or empty
 */
export function readSecrets({ secrets = [] }: Environment, env: NodeJS.ProcessEnv): Secrets {
  const missing = secrets.filter((name) => !env[name])
  if (missing.length > 0)
    throw new ConfigError(
      'SECRET_MISSING',
      `environment.secrets: ${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} not set here`,
      {
        hint: `set ${missing.length > 1 ? 'them' : 'it'} in the environment of this program: the values go to the job from there`,
      },
    )
  return Object.fromEntries(secrets.map((name) => [name, env[name]!]))
}
