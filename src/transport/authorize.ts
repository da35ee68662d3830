import { TransportError } from '../core/errors.ts'
import type { Transport } from './transport.ts'

/** $1 type and key, as they stand in a .pub file; $2 the comment. As ssh-copy-id does; sshd wants the modes. */
const authorizeScript = `umask 077
cd && mkdir -p .ssh && cd .ssh || exit
touch authorized_keys || exit
grep -qF -- "$1" authorized_keys && { echo there; exit 0; }
[ -z "$(tail -c 1 authorized_keys)" ] || echo >>authorized_keys || exit
printf '%s\\n' "$1 $2" >>authorized_keys || exit
chmod go-w . authorized_keys
echo added`

/**
 * Lets the owner of a key log in from now on.
 * @returns 'there' when it was let in already
 * @throws TransportError FILE_TRANSFER_FAILED
 */
export async function authorizeKey(transport: Transport, publicKey: string): Promise<'added' | 'there'> {
  const [type, key, ...comment] = publicKey.trim().split(/\s+/)
  const argv = ['sh', '-c', authorizeScript, 'farcall', `${type} ${key}`, comment.join(' ')]
  const result = await transport.exec({ argv })
  const said = Buffer.from(result.stdout).toString('utf8').trim()
  if (result.exitCode === 0 && (said === 'added' || said === 'there')) return said
  throw new TransportError(
    'FILE_TRANSFER_FAILED',
    `${transport.name}: ~/.ssh/authorized_keys: ${result.stderr.trim() || `exit code ${result.exitCode}`}`,
    { hint: 'ask the site how keys are installed there; some have a web page for it' },
  )
}
