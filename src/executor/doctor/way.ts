/** The way to the host: its name, its port, its key, the login. */
import { FarcallError } from '../../core/errors.ts'
import type { NameAnswer, PortAnswer } from '../../transport/knock.ts'
import { failure, ok, type Rung, type Step, span, trouble } from './step.ts'

const slowNameSeconds = 2
const slowPortSeconds = 2
const slowLoginSeconds = 5

export interface Way {
  /** As the profile has it. */
  readonly alias: string
  /** What ~/.ssh/config makes of it. */
  readonly host: string
  readonly port: number
  /** This is a jump host, on the way to that. */
  readonly leadsTo?: string
}

export function judgeName({ alias, host, leadsTo }: Way, answer: NameAnswer): Step {
  const seconds = answer.ms / 1000
  const facts = { host, addresses: answer.addresses, seconds }
  const [first] = answer.addresses
  const fail = (found: string, hint: string) =>
    trouble('name', 'failed', found, hint, { code: 'HOST_UNREACHABLE', facts })
  if (first === undefined && answer.failure === 'ENOTFOUND')
    return fail(
      `there is no host ${host}${alias === host ? '' : `, which ~/.ssh/config says ${alias} is`}`,
      `look for a typing error in ${alias === host ? '`host` of the profile' : '`HostName` there'}; a name that exists only inside the site's network needs its VPN`,
    )
  if (first === undefined)
    return fail(
      `${host} could not be looked up: no name server answers (${answer.failure})`,
      'is this machine on the network? `getent hosts` with any name tells',
    )
  const over = leadsTo === undefined ? '' : `, the jump host on the way to ${leadsTo}`
  const named = alias === host ? host : `${alias} is ${host} by ~/.ssh/config`
  if (first === host) return ok('name', `${alias === host ? `${host}, an address` : named}${over}`, facts)
  const several = answer.addresses.length > 1 ? ` and ${answer.addresses.length - 1} more` : ''
  const found = `${named}${alias === host ? ' is' : ','} ${first}${several} (${span(seconds)})${over}`
  if (seconds < slowNameSeconds) return ok('name', found, facts)
  return trouble(
    'name',
    'slow',
    found,
    'a name server here is slow or does not answer: see /etc/resolv.conf',
    {
      facts,
    },
  )
}

export function judgePort({ host, port }: Way, answer: PortAnswer): Step {
  const seconds = answer.ms / 1000
  const facts = { port, banner: answer.banner, seconds }
  const fail = (found: string, hint: string) =>
    trouble('port', 'failed', found, hint, { code: 'HOST_UNREACHABLE', facts })
  const banner = answer.banner
  if (banner === undefined)
    switch (answer.failure) {
      case 'ECONNREFUSED':
        return fail(
          `${host} is there, and nothing listens on its port ${port}`,
          "check `port` of the profile (22 where it is not set); if it is right, the SSH server is down: see the site's status page",
        )
      case 'timeout':
      case 'ETIMEDOUT':
        return fail(
          `${host} gives no answer on port ${port} within ${span(seconds)}`,
          "a firewall is in the way, or the machine is down: the site's VPN may be needed, or a jump host (ProxyJump in ~/.ssh/config)",
        )
      case 'EHOSTUNREACH':
      case 'ENETUNREACH':
        return fail(`there is no route to ${host}`, "is this machine on the network, and the site's VPN up?")
      case 'closed':
      case 'ECONNRESET':
        return fail(
          `${host} takes the connection on port ${port} and closes it at once`,
          'it may have banned this address for a while after failed logins, or have too many logins just now (MaxStartups): wait some minutes',
        )
      case 'silent':
        return fail(
          `${host} takes the connection on port ${port}, and then says nothing for ${span(seconds)}`,
          'the machine may be overloaded, or what listens there is no SSH server: try `ssh -v` by hand',
        )
      default:
        return fail(`${host}, port ${port}: ${answer.failure}`, 'try `ssh -v` by hand')
    }
  if (!banner.startsWith('SSH-'))
    return fail(
      `what answers on port ${port} of ${host} is no SSH server; it says ${JSON.stringify(banner)}`,
      'check `port` of the profile; 22 is usual',
    )
  const found = `${port} answers in ${span(seconds)}: ${banner.replace(/^SSH-[\d.]+-/, '')}`
  if (seconds < slowPortSeconds) return ok('port', found, facts)
  return trouble(
    'port',
    'slow',
    found,
    'each new connection waits for that; farcall keeps one open for all its jobs',
    {
      facts,
    },
  )
}

/** What came of opening the connection: its key and the login, in one. */
export function judgeLogin(name: string, answer: { error?: unknown; ms: number }): Step[] {
  const { error } = answer
  const seconds = answer.ms / 1000
  if (error !== undefined) {
    const rung = rungOf(error)
    const step = failure(rung, error, 'try `ssh -v` by hand', { seconds })
    return rung === 'login' ? [ok('host-key', 'known'), step] : [step]
  }
  const found = `as ${name.replace(/@.*/, '')}, ready after ${span(seconds)}`
  const login =
    seconds < slowLoginSeconds
      ? ok('login', found, { seconds })
      : trouble(
          'login',
          'slow',
          found,
          'the server looks up names or accounts, or the start-up files of your shell take long (see below)',
          { facts: { seconds } },
        )
  return [ok('host-key', 'known, and unchanged'), login]
}

function rungOf(error: unknown): Rung {
  if (!(error instanceof FarcallError)) return 'login'
  if (error.code.startsWith('HOST_KEY_')) return 'host-key'
  return error.code === 'HOST_UNREACHABLE' ? 'port' : 'login'
}
