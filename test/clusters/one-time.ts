import { createHmac, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs'

/** One-time codes of an account, as a token on a phone would show them (RFC 4226), and the PAM lines that ask for them. */
export interface OneTimeCodes {
  next(): string
  /** The account's password, then a code. */
  readonly pam: readonly string[]
}

/** `file` is where pam_oath keeps what was used; root's alone. */
export function oneTimeCodes(user: string, file: string): OneTimeCodes {
  const installed = readdirSync('/usr/lib').some((name) =>
    existsSync(`/usr/lib/${name}/security/pam_oath.so`),
  )
  if (!installed)
    throw new Error('no pam_oath.so here; apt-get install -y --no-install-recommends libpam-oath')
  const secret = randomBytes(20)
  writeFileSync(file, `HOTP ${user} - ${secret.toString('hex')}\n`)
  chmodSync(file, 0o600)
  let counter = -1
  return {
    next() {
      const moving = Buffer.alloc(8)
      moving.writeBigUInt64BE(BigInt(++counter))
      const digest = createHmac('sha1', secret).update(moving).digest()
      const at = digest[19]! & 15
      return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
    },
    pam: [
      'auth requisite pam_unix.so nodelay',
      `auth required pam_oath.so usersfile=${file} window=30 digits=6`,
      'account required pam_permit.so',
      'session required pam_permit.so',
    ],
  }
}
