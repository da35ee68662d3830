import { describe, inject } from 'vitest'
import { reachesJobs } from './reach.ts'

const { host, port, user, identityFile, knownHosts } = inject('sshd')

describe('a job over ssh', () =>
  reachesJobs({ scheduler: 'direct', host, port, user, identityFile, knownHosts }))
