export type ShowKind = 'live' | 'plain' | 'none'

/** How progress is shown: on a terminal live, elsewhere as a line now and then, and never where it is switched off. */
export function kindOf(env: NodeJS.ProcessEnv, isTerminal: boolean): ShowKind {
  if (/^(0|false|off|no)$/i.test(env['FARCALL_PROGRESS'] ?? '')) return 'none'
  const isPlain = env['TERM'] === 'dumb' || (env['CI'] !== undefined && !/^(|0|false)$/i.test(env['CI']))
  return isTerminal && !isPlain ? 'live' : 'plain'
}
