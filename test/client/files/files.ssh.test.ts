import { inject } from 'vitest'
import { farFiles } from '../../../src/executor/files/far-files.ts'
import { createSshTransport } from '../../../src/transport/ssh.ts'
import { filesSuite } from '../../files/suite.ts'
import { loginProfile } from '../left.ts'

const sshd = inject('sshd')

filesSuite('over ssh', async () => {
  const { host = sshd.host, ...profile } = loginProfile({})
  return { fs: farFiles(createSshTransport({ ...profile, host })), root: false }
})
