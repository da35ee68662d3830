import { ConfigError } from '../core/errors.ts'
import type { Profile } from '../core/profile.ts'
import { createLocalTransport } from './local.ts'
import { logInByOpenssh } from './openssh-login.ts'
import { createSshTransport } from './ssh.ts'
import { logIn } from './ssh-login.ts'
import type { Transport } from './transport.ts'

/**
 * The transport that a profile asks for: `local` without a host, `ssh` with one. Nothing is opened yet.
 * @throws ConfigError CONFIG_INVALID when `transport` is unknown, or is ssh and there is no host
 * @example const transport = openTransport({ scheduler: 'slurm', host: 'login.hpc.edu' })
 */
export function openTransport(profile: Profile): Transport {
  const kind: string = profile.transport ?? (profile.host === undefined ? 'local' : 'ssh')
  switch (kind) {
    case 'local':
      if (profile.host !== undefined)
        throw new ConfigError('CONFIG_INVALID', `transport 'local' cannot reach host '${profile.host}'`, {
          hint: "remove `host`, or use transport: 'ssh'",
        })
      return createLocalTransport()
    case 'ssh':
    case 'openssh': {
      const { host } = profile
      if (!host)
        throw new ConfigError('CONFIG_INVALID', `transport '${kind}' needs a host`, { hint: 'set `host`' })
      return createSshTransport({ ...profile, host }, {}, kind === 'ssh' ? logIn : logInByOpenssh)
    }
    default:
      throw new ConfigError('CONFIG_INVALID', `transport '${kind}' is not known`, {
        hint: "use transport: 'local', 'ssh' or 'openssh'",
      })
  }
}
