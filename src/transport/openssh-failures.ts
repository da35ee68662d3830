import { TransportError } from '../core/errors.ts'
import { TurnedAway, unreachable } from './ssh-connection.ts'

/** What ssh's last words at a login mean. */
export function loginFailure(name: string, stderr: string, asks: boolean): Error {
  const words = lastWords(stderr)
  const say = (
    code: 'HOST_KEY_CHANGED' | 'HOST_KEY_REVOKED' | 'HOST_KEY_UNKNOWN',
    what: string,
    hint: string,
  ) => new TransportError(code, `${name} ${what}: ${words}`, { hint })
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) {
    const place = /Offending \S+ key in (\S+:\d+)/.exec(stderr)?.[1]
    return new TransportError('HOST_KEY_CHANGED', `${name} shows another key than the one it is known by`, {
      hint: `someone may listen in; if the administrators confirm the new key, remove the old one${place ? ` (${place})` : ''}`,
    })
  }
  if (/REVOKED HOST KEY|marked as revoked/i.test(stderr))
    return say('HOST_KEY_REVOKED', 'shows a revoked key', "ask the cluster's administrators, do not connect")
  if (/Host key verification failed|No \S+ host key is known/.test(stderr))
    return say(
      'HOST_KEY_UNKNOWN',
      'is not known',
      "compare its key with what the cluster publishes, then connect once with `ssh`, or set hostKey: 'accept-new'",
    )
  if (/Permission denied|Too many authentication failures|passphrase|sign_and_send_pubkey/.test(stderr))
    return new TransportError('LOGIN_REFUSED', `${name}: login refused; ssh says: ${words}`, {
      hint: asks
        ? 'see whether `ssh` gets in with the same answers'
        : 'run it in a terminal to be asked, or log in once by ssh with a ControlMaster, whose connection is used then',
    })
  if (/kex_exchange_identification|Connection (closed|reset) by/.test(stderr)) return new TurnedAway(words)
  if (
    /Could not resolve|Connection refused|timed out|No route|unreachable|banner exchange|stdio forwarding failed|channel 0: open failed/i.test(
      stderr,
    )
  )
    return unreachable(name, words)
  return new TransportError('LOGIN_REFUSED', `${name}: ssh does not log in: ${words || 'it says nothing'}`, {
    hint: 'see what `ssh HOST true` says',
  })
}

/** Whether a person could get further than no person did. */
export function isForPerson(stderr: string): boolean {
  if (/IDENTIFICATION HAS CHANGED|revoked/i.test(stderr)) return false
  return /Permission denied|Host key verification failed|passphrase/.test(stderr)
}

function lastWords(stderr: string): string {
  const lines = stderr.split(/[\r\n]+/).filter((line) => line.trim() !== '')
  return lines.slice(-3).join('; ').slice(-400)
}
