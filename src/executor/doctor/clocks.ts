import { ok, type Step, span, trouble } from './step.ts'

/** A clock that is off by less is as good as right; NTP keeps them within milliseconds. */
const toleranceSeconds = 5

export interface Clocks {
  /** What the login node's clock is ahead of ours, seconds; and how far that may be wrong. */
  readonly login: number
  readonly uncertainty: number
  /** What the compute node's was ahead of the login node's when its report was seen there; undefined: no job ran. */
  readonly node?: number | undefined
  /** For how long the report may have lain there unseen, seconds: for that long the login node's clock went on. */
  readonly lag?: number
}

export function judgeClocks({ login, uncertainty, node, lag = 0 }: Clocks): Step {
  const facts = { loginSeconds: login, uncertaintySeconds: uncertainty, nodeSeconds: node }
  const isOff = (value: number) => Math.abs(value) > toleranceSeconds + uncertainty
  const loginIsOff = isOff(login)
  const nodeIsOff = node !== undefined && isOff(node < 0 ? Math.min(0, node + lag) : node)
  const said: string[] = []
  if (loginIsOff) said.push(`the login node's clock is ${shown(login)} this machine's`)
  if (nodeIsOff) said.push(`the compute node's clock is ${shown(node)} the login node's`)
  if (said.length === 0)
    return ok(
      'clock',
      `the same here${node === undefined ? ' and there' : ', there and on the node'}, as far as a second tells`,
      facts,
    )
  const wholeHours = (loginIsOff && isWholeHours(login)) || (nodeIsOff && isWholeHours(node))
  return trouble(
    'clock',
    'warning',
    said.join('; '),
    `${wholeHours ? 'a whole number of hours: a clock was set to local time as if it were UTC. ' : ''}compare \`date -u\` on both with a watch, and have the wrong one set (NTP). farcall itself counts by the cluster's clock; logins by certificate or Kerberos, and dates of files, go wrong`,
    { facts },
  )
}

const shown = (seconds: number) => `${span(seconds)} ${seconds > 0 ? 'ahead of' : 'behind'}`

function isWholeHours(seconds: number): boolean {
  const rest = Math.abs(seconds) % 3600
  return Math.abs(seconds) > 1800 && Math.min(rest, 3600 - rest) < 60
}
