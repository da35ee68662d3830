import { inject } from 'vitest'
import { onLogin } from './left.ts'
import { recoversRecord } from './recover.ts'

const { sshd } = inject('slurms').accounting

recoversRecord({
  env: {
    FARCALL_SCHEDULER: 'slurm',
    FARCALL_HOST: sshd.host,
    FARCALL_PORT: String(sshd.port),
    FARCALL_USER: sshd.user,
    FARCALL_IDENTITY_FILE: sshd.identityFile,
    FARCALL_KNOWN_HOSTS: sshd.knownHosts,
    FARCALL_WORKDIR: '~/recover',
    FARCALL_QUERY_INTERVAL: '2s',
  },
  on: (command) => onLogin(sshd, `cd recover && ${command}`),
})
