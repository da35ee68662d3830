import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../processes.ts'

/** The authority of a cluster and what it has signed, as files in `folder`: NAME.crt, NAME.key. */
export interface Certificates {
  readonly folder: string
  file(name: string): string
}

interface Wanted {
  readonly name: string
  /** Like '/O=system:masters/CN=admin'. */
  readonly subject: string
  /** Like 'IP:10.0.0.1,DNS:localhost', of a server. */
  readonly names?: string
}

export async function makeCertificates(folder: string, wanted: readonly Wanted[]): Promise<Certificates> {
  const file = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => run('openssl', args)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const ca = ['-subj', '/CN=farcall-test', '-days', '2', '-keyout', file('ca.key'), '-out', file('ca.crt')]
  await openssl('req', '-x509', ...key, ...ca)
  await Promise.all(
    wanted.map(async ({ name, subject, names }) => {
      const request = file(`${name}.csr`)
      await openssl('req', ...key, '-subj', subject, '-keyout', file(`${name}.key`), '-out', request)
      writeFileSync(file(`${name}.ext`), names === undefined ? '' : `subjectAltName=${names}\n`)
      const by = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-set_serial', serial(), '-days', '2']
      const made = ['-in', request, '-out', file(`${name}.crt`), '-extfile', file(`${name}.ext`)]
      await openssl('x509', '-req', ...by, ...made)
    }),
  )
  await openssl('genrsa', '-out', file('accounts.key'), '2048')
  await openssl('rsa', '-in', file('accounts.key'), '-pubout', '-out', file('accounts.pub'))
  return { folder, file }
}

const serial = () => String(1 + Math.floor(Math.random() * 2 ** 48))
